// What the flooders share: a clock, an end, and bytes from hexadecimal.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char* what) {
  perror(what);
  exit(1);
}

/// How many bytes of `text` stand in `bytes` now, at most `max`.
static size_t read_hex(const char* text, unsigned char* bytes, size_t max) {
  size_t size = 0;
  for (; text[0] != 0 && text[1] != 0 && size < max; text += 2) {
    const char digits[3] = {text[0], text[1], 0};
    bytes[size++] = (unsigned char)strtoul(digits, NULL, 16);
  }
  return size;
}
