#pragma once

/// The user's own file of this name; neither project may pick up the other's.
struct UsersTensor {
    int value = 42;
};
