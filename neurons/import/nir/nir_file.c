/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bounded access to HDF5.
 *
 * The library trusts files more than one may. Where it would follow what a file says without
 * looking, it is not asked: strings of varying length are read here, straight from the bytes, and
 * numbers only in types that need no bits to be picked out.
 */
#define _GNU_SOURCE 1
#include "neurons/import/nir/nir_file.h"

#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Deflate makes at most 1032 bytes of one. */
enum { DEFLATE_MOST = 1032, SMALL_FILE = 1 << 20 };

static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

#define PLACE "%s: %s: "
#define DATASET "%s: %s: dataset '%s' "
#define DAMAGED "; the file is damaged or was written by another tool"

/* ------------------------------------------------------------- opening in place */

/* The library asks for memory for the image and for copies of it; it gets the image itself. */
struct image {
    void *bytes;
    size_t length;
};

static void *image_malloc(size_t size, H5FD_file_image_op_t operation, void *data)
{
    (void)operation;
    struct image *image = data;
    return size <= image->length ? image->bytes : NULL;
}

static void *image_copy(void *to, const void *from, size_t size, H5FD_file_image_op_t operation,
                        void *data)
{
    (void)size, (void)operation, (void)data;
    return to == from ? to : NULL;
}

static void *image_resize(void *bytes, size_t size, H5FD_file_image_op_t operation, void *data)
{
    (void)bytes, (void)size, (void)operation, (void)data;
    return NULL; /* it is only read */
}

static herr_t image_free(void *bytes, H5FD_file_image_op_t operation, void *data)
{
    (void)bytes, (void)operation, (void)data;
    return 0;
}

static void *image_copy_data(void *data)
{
    struct image *copy = malloc(sizeof *copy);
    if (copy != NULL)
        memcpy(copy, data, sizeof *copy);
    return copy;
}

static herr_t image_free_data(void *data)
{
    free(data);
    return 0;
}

bool nir_file_signature(const void *bytes, size_t length)
{
    return length >= sizeof signature && memcmp(bytes, signature, sizeof signature) == 0;
}

size_t nir_file_seconds(size_t length)
{
    return 10 + length / 1000000;
}

void nir_file_quiet(struct nir_quiet *quiet)
{
    H5dont_atexit(); /* it complains at the end of a program that has met a damaged file */
    H5open();
    H5Eget_auto2(H5E_DEFAULT, &quiet->report, &quiet->data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void nir_file_loud(const struct nir_quiet *quiet)
{
    H5Eset_auto2(H5E_DEFAULT, quiet->report, quiet->data);
}

static hid_t image_open(struct image *image)
{
    H5FD_file_image_callbacks_t callbacks = {image_malloc,    image_copy,      image_resize,
                                             image_free,      image_copy_data, image_free_data,
                                             image};
    static atomic_uint images; /* the library takes files of one name for one file */
    char name[32];
    snprintf(name, sizeof name, "nir %u", atomic_fetch_add(&images, 1));
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), file = -1;
    if (access >= 0 && H5Pset_fapl_core(access, 1 << 16, false) >= 0
        && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0
        && H5Pset_file_image_callbacks(access, &callbacks) >= 0
        && H5Pset_file_image(access, image->bytes, image->length) >= 0)
        file = H5Fopen(name, H5F_ACC_RDONLY, access);
    if (access >= 0)
        H5Pclose(access);
    return file;
}

/* Whether places in the file take 8 bytes, as all writers have it. */
static bool addresses_fit(hid_t file)
{
    hid_t creation = H5Fget_create_plist(file);
    size_t address = 0, size = 0;
    bool fit = creation >= 0 && H5Pget_sizes(creation, &address, &size) >= 0 && address == 8
               && size == 8;
    if (creation >= 0)
        H5Pclose(creation);
    return fit;
}

static uint64_t machine_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_C(1) << 32;
}

bool nir_file_open(struct nir_file *file, const void *bytes, size_t length, const char *path,
                   struct error *error)
{
    memset(file, 0, sizeof *file);
    file->path = utf8_tail(path);
    file->file = -1;
    file->bytes = bytes;
    file->length = length;
    if (!nir_file_signature(bytes, length))
        return error_set(error, ERROR_FAILED, "%s: is not an HDF5 file; give a NIR file as "
                         "frameworks write it", file->path);
    uint64_t most = machine_memory() / 2, unpacked;
    if (__builtin_mul_overflow((uint64_t)length, (uint64_t)DEFLATE_MOST, &unpacked))
        unpacked = most;
    file->allowance = unpacked < most ? unpacked + SMALL_FILE : most;
    nir_file_quiet(&file->quiet);
    H5PLset_loading_state(0); /* no code comes with a file */
    struct image image = {(void *)(uintptr_t)bytes, length};
    file->file = image_open(&image);
    if (file->file >= 0 && addresses_fit(file->file))
        return true;
    nir_file_close(file);
    return error_set(error, ERROR_FAILED, "%s: cannot be opened as HDF5; it is damaged or was cut "
                     "short, fetch it again", utf8_tail(path));
}

void nir_file_close(struct nir_file *file)
{
    if (file->file >= 0)
        H5Fclose(file->file);
    nir_file_loud(&file->quiet);
    file->file = -1;
}

/* ------------------------------------------------------------------------ groups */

enum nir_kind nir_file_kind(hid_t group, const char *name)
{
    H5L_info_t link;
    H5O_info_t object;
    if (H5Lexists(group, name, H5P_DEFAULT) <= 0)
        return NIR_ABSENT;
    if (H5Lget_info(group, name, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD
        || H5Oget_info_by_name2(group, name, &object, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
        return NIR_OTHER;
    return object.type == H5O_TYPE_GROUP ? NIR_GROUP
           : object.type == H5O_TYPE_DATASET ? NIR_DATASET : NIR_OTHER;
}

hid_t nir_file_group(const struct nir_file *file, hid_t group, const char *place, const char *name,
                     struct error *error)
{
    enum nir_kind kind = nir_file_kind(group, name);
    hid_t opened = kind == NIR_GROUP ? H5Gopen2(group, name, H5P_DEFAULT) : -1;
    if (opened < 0)
        error_set(error, ERROR_FAILED, PLACE "group '%.*s' %s" DAMAGED, file->path, place,
                  utf8_clip(name), name, kind == NIR_ABSENT ? "is missing"
                  : kind == NIR_GROUP ? "cannot be opened"
                  : "is not a group of this file");
    return opened;
}

struct name_list {
    char **names;
    size_t count, limit;
    bool no_memory, bad, too_many;
};

/* Reads `name` into the list; the library goes on as long as 0 is returned. */
static herr_t name_add(hid_t group, const char *name, const H5L_info_t *link, void *data)
{
    (void)group, (void)link;
    struct name_list *list = data;
    size_t length = strnlen(name, NIR_NAME_LIMIT + 1);
    list->bad = length == 0 || length > NIR_NAME_LIMIT || utf8_invalid_at(name, length) != length;
    list->too_many = list->count == list->limit;
    if (list->bad || list->too_many)
        return 1;
    if ((list->count & (list->count - 1)) == 0) {
        char **larger = reallocarray(list->names, list->count == 0 ? 1 : 2 * list->count,
                                     sizeof *larger);
        list->no_memory = larger == NULL;
        if (larger == NULL)
            return 1;
        list->names = larger;
    }
    char *copy = strdup(name);
    list->no_memory = copy == NULL;
    if (copy == NULL)
        return 1;
    list->names[list->count++] = copy;
    return 0;
}

void nir_file_free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

bool nir_file_names(const struct nir_file *file, hid_t group, const char *place, size_t limit,
                    char ***names, size_t *count, struct error *error)
{
    struct name_list list = {.limit = limit};
    herr_t status = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, name_add, &list);
    if (status == 0) {
        *names = list.names;
        *count = list.count;
        return true;
    }
    nir_file_free_names(list.names, list.count);
    if (status > 0 && list.no_memory)
        return error_no_memory(error, "names in a NIR file");
    if (status > 0 && list.too_many)
        return error_set(error, ERROR_FAILED, PLACE "holds more than %zu entries; no network that "
                         "can be run has so many", file->path, place, limit);
    return error_set(error, ERROR_FAILED, PLACE "%s" DAMAGED, file->path, place,
                     status > 0 ? "has an entry with an unreadable name" : "cannot be listed");
}

/* ---------------------------------------------------------------------- datasets */

/* A dataset with what is known of it before anything is read. */
struct opened {
    hid_t dataset, type, space;
    uint64_t shape[NIR_RANK];
    uint32_t rank;
    uint64_t count;
    size_t bytes; /* of an element in the file */
};

static void opened_close(struct opened *opened)
{
    if (opened->space >= 0)
        H5Sclose(opened->space);
    if (opened->type >= 0)
        H5Tclose(opened->type);
    if (opened->dataset >= 0)
        H5Dclose(opened->dataset);
}

/* What is wrong with how the dataset is stored, or NULL. */
static const char *storage_fault(const struct nir_file *file, const struct opened *opened,
                                 hid_t creation)
{
    H5D_layout_t layout = H5Pget_layout(creation);
    if (layout == H5D_CONTIGUOUS)
        return H5Pget_external_count(creation) != 0 ? "has its data in another file" : NULL;
    if (layout == H5D_COMPACT)
        return NULL;
    if (layout != H5D_CHUNKED)
        return "is stored in a way that is not read here";
    hsize_t chunk[NIR_RANK];
    uint64_t bytes = opened->bytes;
    if (H5Pget_chunk(creation, NIR_RANK, chunk) != (int)opened->rank)
        return "has chunks that do not match its shape";
    for (uint32_t i = 0; i < opened->rank; i++)
        if (__builtin_mul_overflow(bytes, (uint64_t)chunk[i], &bytes)
            || bytes > file->length * DEFLATE_MOST + SMALL_FILE)
            return "has chunks larger than the file could hold";
    int filters = H5Pget_nfilters(creation);
    for (int i = 0; i < filters; i++) {
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t filter = H5Pget_filter2(creation, (unsigned)i, &flags, &values, NULL, 0, NULL,
                                             &config);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE
            && filter != H5Z_FILTER_FLETCHER32)
            return "is compressed in a way that is not read here (only gzip is)";
    }
    return filters < 0 || filters > 8 ? "has filters that cannot be read" : NULL;
}

static const char *shape_fault(struct opened *opened)
{
    hsize_t extent[NIR_RANK];
    H5S_class_t kind = H5Sget_simple_extent_type(opened->space);
    int rank = kind == H5S_SIMPLE ? H5Sget_simple_extent_ndims(opened->space) : 0;
    if (kind != H5S_SIMPLE && kind != H5S_SCALAR)
        return "is empty";
    if (rank < 0 || rank > NIR_RANK
        || (rank > 0 && H5Sget_simple_extent_dims(opened->space, extent, NULL) != rank))
        return "has more than 8 dimensions";
    opened->rank = (uint32_t)rank;
    opened->count = 1;
    for (int i = 0; i < rank; i++) {
        opened->shape[i] = (uint64_t)extent[i];
        if (__builtin_mul_overflow(opened->count, opened->shape[i], &opened->count)
            || opened->count > INT32_MAX)
            return "has more than 2^31 elements, more than a network can use";
    }
    return opened->count == 0 ? "is empty" : NULL;
}

/* Opens and takes `bytes` in memory for each element off the allowance. */
static bool dataset_open(struct nir_file *file, hid_t group, const char *place, const char *name,
                         size_t bytes, struct opened *opened, struct error *error)
{
    *opened = (struct opened){.dataset = -1, .type = -1, .space = -1};
    enum nir_kind kind = nir_file_kind(group, name);
    const char *fault = kind == NIR_ABSENT ? "is missing" : kind != NIR_DATASET ? "is not a "
                        "dataset of this file" : NULL;
    if (fault == NULL) {
        opened->dataset = H5Dopen2(group, name, H5P_DEFAULT);
        opened->type = opened->dataset < 0 ? -1 : H5Dget_type(opened->dataset);
        opened->space = opened->dataset < 0 ? -1 : H5Dget_space(opened->dataset);
        if (opened->space < 0 || opened->type < 0)
            fault = "cannot be opened";
    }
    if (fault == NULL)
        fault = shape_fault(opened);
    if (fault == NULL) {
        opened->bytes = H5Tget_size(opened->type);
        hid_t creation = H5Dget_create_plist(opened->dataset);
        fault = creation < 0 || opened->bytes == 0 ? "cannot be opened"
                                                   : storage_fault(file, opened, creation);
        if (creation >= 0)
            H5Pclose(creation);
    }
    uint64_t need = opened->count * (bytes > opened->bytes ? bytes : opened->bytes);
    if (fault == NULL && opened->bytes > NIR_NAME_LIMIT)
        fault = "has elements that are neither numbers nor short strings";
    if (fault == NULL && need > file->allowance)
        fault = "is larger than the file or this machine's memory could hold";
    if (fault == NULL) {
        file->allowance -= need;
        return true;
    }
    opened_close(opened);
    return error_set(error, ERROR_FAILED, DATASET "%s" DAMAGED, file->path, place, name, fault);
}

/* Whether the type is one of the plain ones; those with odd bits are not given to the library to
 * convert. *memory is the type to read them as. */
static bool type_is_plain(hid_t type, hid_t *memory)
{
    const hid_t plain[] = {H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_IEEE_F32BE, H5T_IEEE_F64BE,
                           H5T_STD_I64LE,  H5T_STD_I32LE,  H5T_STD_I16LE,  H5T_STD_I8LE,
                           H5T_STD_U64LE,  H5T_STD_U32LE,  H5T_STD_U16LE,  H5T_STD_U8LE,
                           H5T_STD_I64BE,  H5T_STD_I32BE,  H5T_STD_U64BE,  H5T_STD_U32BE};
    *memory = H5T_NATIVE_DOUBLE;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (H5Tequal(type, plain[i]) > 0)
            return true;
    return false;
}

/* Truth values are an enumeration of bytes, read as they stand. */
static bool truths_read(const struct opened *opened, double *values)
{
    int8_t *bytes = (int8_t *)(values + opened->count) - opened->count; /* the end of the room */
    if (H5Dread(opened->dataset, opened->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) < 0)
        return false;
    for (uint64_t i = 0; i < opened->count; i++)
        values[i] = bytes[i];
    return true;
}

bool nir_file_numbers(struct nir_file *file, hid_t group, const char *place, const char *name,
                      struct nir_array *array, struct error *error)
{
    struct opened opened;
    memset(array, 0, sizeof *array);
    if (!dataset_open(file, group, place, name, sizeof(double), &opened, error))
        return false;
    hid_t memory;
    bool truth = H5Tget_class(opened.type) == H5T_ENUM && opened.bytes == 1;
    bool plain = type_is_plain(opened.type, &memory), read = false;
    double *values = plain || truth ? malloc((size_t)opened.count * sizeof *values) : NULL;
    if (!plain && !truth)
        error_set(error, ERROR_FAILED, DATASET "is not of plain numbers (floating point of 32 or "
                  "64 bits, or integers); write it as one of these", file->path, place, name);
    else if (values == NULL)
        error_no_memory(error, "an array of a NIR file");
    else {
        read = truth ? truths_read(&opened, values)
                     : H5Dread(opened.dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
        if (!read)
            error_set(error, ERROR_FAILED, DATASET "cannot be read" DAMAGED, file->path, place,
                      name);
    }
    if (read) {
        array->values = values;
        array->count = opened.count;
        array->rank = opened.rank;
        memcpy(array->shape, opened.shape, sizeof array->shape);
    } else {
        free(values);
    }
    opened_close(&opened);
    return read;
}

/* ----------------------------------------------------------------------- strings */

/* Strings of varying length. An element is 16 bytes: the string's length (4), where its heap
 * lies (8), and its index there (4). A heap is "GCOL", version 1, 3 bytes, its size with all
 * this (8); then objects, each index (2), references (2), 4 bytes, size (8), and content padded
 * to 8 bytes; index 0 is the rest. */
enum { ELEMENT = 16, HEAP_HEADER = 16 };

/* A walk through heaps, which remembers where it stands: strings mostly lie in the order they
 * are asked for. */
struct heap_walk {
    const struct nir_file *file;
    uint64_t heap;  /* where it lies */
    uint64_t at;    /* the object it stands before; 0: none */
    uint64_t steps; /* that may still be taken */
};

static uint64_t little_endian(const unsigned char *bytes, int length)
{
    uint64_t value = 0;
    for (int i = length - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/* The object of that index in the walk's heap from `at` on, as place and size; false if there is
 * none. */
static bool object_find(struct heap_walk *walk, uint64_t at, uint32_t index, uint64_t *place,
                        uint64_t *size)
{
    const unsigned char *bytes = walk->file->bytes;
    uint64_t end = walk->file->length, extent = little_endian(bytes + walk->heap + 8, 8);
    if (extent < end - walk->heap)
        end = walk->heap + extent;
    while (at <= end && end - at >= HEAP_HEADER && walk->steps > 0) {
        uint64_t own = little_endian(bytes + at, 2), room = end - at - HEAP_HEADER;
        *size = little_endian(bytes + at + 8, 8);
        *place = at + HEAP_HEADER;
        walk->steps--;
        if (own == 0 || *size > room)
            return false;
        at += HEAP_HEADER + ((*size + 7) & ~UINT64_C(7));
        walk->at = at;
        if (own == index)
            return true;
    }
    return false;
}

/* A copy of the string that an element stands for; NULL if it stands for none. */
static char *string_copy(struct heap_walk *walk, const unsigned char *element)
{
    const struct nir_file *file = walk->file;
    uint64_t length = little_endian(element, 4), heap = little_endian(element + 4, 8), place, size;
    uint32_t index = (uint32_t)little_endian(element + 12, 4);
    if (length == 0)
        return strdup("");
    if (length > NIR_NAME_LIMIT || file->length < HEAP_HEADER || heap > file->length - HEAP_HEADER
        || memcmp(file->bytes + heap, "GCOL\1", 5) != 0)
        return NULL;
    bool same = walk->heap == heap && walk->at != 0;
    walk->heap = heap;
    bool found = (same && object_find(walk, walk->at, index, &place, &size))
                 || object_find(walk, heap + HEAP_HEADER, index, &place, &size);
    return found && length <= size ? strndup((const char *)file->bytes + place, (size_t)length)
                                   : NULL;
}

static bool strings_vary_read(const struct nir_file *file, const struct opened *opened,
                              char **strings)
{
    haddr_t offset = H5Dget_offset(opened->dataset);
    if (offset == HADDR_UNDEF || offset > file->length
        || opened->count > (file->length - offset) / ELEMENT)
        return false;
    struct heap_walk walk = {.file = file, .steps = 64 * opened->count + 4 * file->length};
    for (uint64_t i = 0; i < opened->count; i++) {
        strings[i] = string_copy(&walk, file->bytes + offset + i * ELEMENT);
        if (strings[i] == NULL)
            return false;
    }
    return true;
}

static bool strings_fixed_read(const struct opened *opened, char **strings)
{
    char *raw = malloc((size_t)opened->count * opened->bytes);
    bool read = raw != NULL
                && H5Dread(opened->dataset, opened->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw) >= 0;
    bool spaces = H5Tget_strpad(opened->type) == H5T_STR_SPACEPAD;
    for (uint64_t i = 0; read && i < opened->count; i++) {
        const char *from = raw + i * opened->bytes;
        size_t length = strnlen(from, opened->bytes);
        while (spaces && length > 0 && from[length - 1] == ' ')
            length--;
        strings[i] = strndup(from, length);
        read = strings[i] != NULL;
    }
    free(raw);
    return read;
}

/* What is wrong with strings that have been read, or NULL. */
static const char *strings_fault(char *const *strings, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (strings[i] == NULL)
            return "has a string that is missing";
        size_t length = strlen(strings[i]);
        if (length > NIR_NAME_LIMIT || utf8_invalid_at(strings[i], length) != length)
            return "has a string that is too long or is not UTF-8";
    }
    return NULL;
}

bool nir_file_strings(struct nir_file *file, hid_t group, const char *place, const char *name,
                      uint32_t width, char ***strings, size_t *count, struct error *error)
{
    struct opened opened;
    *strings = NULL;
    *count = 0;
    if (!dataset_open(file, group, place, name, 64, &opened, error))
        return false;
    const char *fault = NULL;
    char **list = NULL;
    htri_t varies = H5Tis_variable_str(opened.type);
    if (H5Tget_class(opened.type) != H5T_STRING || varies < 0)
        fault = "does not hold strings";
    else if (width == 1 ? opened.count != 1 : opened.rank != 2 || opened.shape[1] != width)
        fault = width == 1 ? "is not one string" : "is not a list of pairs";
    else if ((list = calloc((size_t)opened.count, sizeof *list)) == NULL)
        fault = "needs more memory than there is";
    else if (!(varies > 0 ? strings_vary_read(file, &opened, list)
                          : strings_fixed_read(&opened, list)))
        fault = varies > 0 ? "cannot be read (strings of varying length only without compression)"
                           : "cannot be read";
    else
        fault = strings_fault(list, opened.count);
    if (fault == NULL) {
        *strings = list;
        *count = (size_t)opened.count;
    } else {
        if (list != NULL)
            nir_file_free_names(list, (size_t)opened.count);
        error_set(error, ERROR_FAILED, DATASET "%s" DAMAGED, file->path, place, name, fault);
    }
    opened_close(&opened);
    return fault == NULL;
}

bool nir_file_is_text(hid_t group, const char *name)
{
    hid_t dataset = nir_file_kind(group, name) == NIR_DATASET ? H5Dopen2(group, name, H5P_DEFAULT)
                                                              : -1;
    hid_t type = dataset < 0 ? -1 : H5Dget_type(dataset);
    bool text = type >= 0 && H5Tget_class(type) == H5T_STRING;
    if (type >= 0)
        H5Tclose(type);
    if (dataset >= 0)
        H5Dclose(dataset);
    return text;
}

bool nir_file_attribute(const struct nir_file *file, hid_t group, const char *place,
                        const char *name, double *value, struct error *error)
{
    hid_t attribute = H5Aexists(group, name) > 0 ? H5Aopen(group, name, H5P_DEFAULT) : -1;
    hid_t type = attribute < 0 ? -1 : H5Aget_type(attribute);
    hid_t space = attribute < 0 ? -1 : H5Aget_space(attribute), memory;
    bool read = type >= 0 && space >= 0 && H5Sget_simple_extent_npoints(space) == 1
                && type_is_plain(type, &memory) && H5Aread(attribute, memory, value) >= 0;
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    if (attribute >= 0)
        H5Aclose(attribute);
    return read || error_set(error, ERROR_FAILED, PLACE "attribute '%s' is missing or is not a "
                             "number" DAMAGED, file->path, place, name);
}
