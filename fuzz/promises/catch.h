// Instead of tests/catch.h: what test helpers REQUIRE is a PROMISE of fuzz targets that use them.
#pragma once

#include "../server_bench.h"

#define REQUIRE(...) PROMISE((__VA_ARGS__))
#define FAIL(why) PROMISE(!(why).empty() && false)
