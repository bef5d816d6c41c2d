// Package.swift defines both names from the environment of the build.

#include "build.h"

const char *catraca_build_commit(void) { return CATRACA_COMMIT; }

const char *catraca_build_swift(void) { return CATRACA_SWIFT; }
