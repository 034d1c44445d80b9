/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The native form: a JSON document that describes a spiking network, with large arrays in a
 * safetensors file beside it. network.schema.json says what the document may hold, field by field;
 * both ways between document and blueprint lose nothing.
 */
#ifndef VOLLEY_NATIVE_H
#define VOLLEY_NATIVE_H

#include "neurons/blueprint.h"

/* Whether `path` is a regular file named *.json whose first character but for spaces is '{' or
 * '['. */
bool native_is_file(const char *path);

/* Reads a document. Every mistake in it is one sentence with the file's name and the JSON path, or
 * line and column where it is no JSON. NULL with error. */
struct blueprint *native_open(const char *path, struct error *error);
/* The same from memory. `name` is the file's name, for sentences and for the stem of the
 * safetensors file, which is looked for in `folder` (NULL: there is none). */
struct blueprint *native_read(const char *text, size_t length, const char *folder, const char *name,
                              struct error *error);

/* Writes `path`, which ends in .json, and, if there are large arrays, a safetensors file of the
 * same stem. Either is there only when it is complete; the document comes last. */
bool native_write(const struct blueprint *blueprint, const char *path, struct error *error);

#endif
