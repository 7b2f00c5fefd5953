// As cmake/precompiled.h, and what tests are written with.
#pragma once

#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <thread>

#include "../cmake/precompiled.h"
#include "catch.h"
