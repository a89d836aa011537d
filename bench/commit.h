#pragma once

namespace heddle::bench {

/// The commit that was built, "b2c16cc0d1e2" or "b2c16cc0d1e2-dirty" where files differed from it; empty where the
/// sources were no checkout. Made at every build (cmake/WriteCommit.cmake).
const char* commit();

}  // namespace heddle::bench
