// How both directions catch libpng's errors.
#ifndef ATTUNE_PNG_MESSAGES_H
#define ATTUNE_PNG_MESSAGES_H

#include <png.h>
#include <stdio.h>

#include "CPNGBridge.h"

/// libpng's error handler: `error_pointer` is the caller's message buffer.
static _Noreturn void attune_png_fail(png_structp png, png_const_charp text) {
  char *message = png_get_error_ptr(png);
  snprintf(message, ATTUNE_PNG_MESSAGE_SIZE, "%s", text);
  png_longjmp(png, 1);
}

/// Warnings are about chunks that do not matter for the pixels.
static void attune_png_ignore_warning(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

#endif
