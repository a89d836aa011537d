# Writes the commit that SOURCE_DIR is checked out at, "-dirty" behind it where tracked files were changed, as the function
# of bench/commit.h into FILE; an empty text where SOURCE_DIR is not the top of a checkout (an archive, a part of another
# project). Run at every build, for a commit does not configure anew; the file is touched only when its text changes.
set(commit "")
if(GIT)
  set(ENV{GIT_OPTIONAL_LOCKS} 0)  # a build must not hinder a git that runs at the same time
  set(git ${GIT} -c safe.directory=${SOURCE_DIR} -C ${SOURCE_DIR})  # a mounted checkout may belong to somebody else
  execute_process(COMMAND ${git} rev-parse --show-cdup OUTPUT_VARIABLE up ERROR_QUIET RESULT_VARIABLE failed)
  string(STRIP "${up}" up)
  if(NOT failed AND up STREQUAL "")
    execute_process(COMMAND ${git} describe --always --dirty --abbrev=12 --exclude=*
                    OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
endif()
set(text "#include \"bench/commit.h\"\n\nnamespace heddle::bench {\n\nconst char* commit() { return \"${commit}\"; }\n\n}  // namespace heddle::bench\n")
set(known "")
if(EXISTS ${FILE})
  file(READ ${FILE} known)
endif()
if(NOT known STREQUAL text)
  file(WRITE ${FILE} "${text}")
endif()
