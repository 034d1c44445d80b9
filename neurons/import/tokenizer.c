/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Byte-level byte-pair encoding. Text is brought to NFC and cut into pieces by
 * a regular expression; within a piece every byte starts as a symbol, and as
 * long as any two neighbours are a known pair, the pair of lowest rank, the
 * leftmost of those, becomes one symbol.
 *
 * Both files write a byte as a printable character of the alphabet that GPT-2
 * defined: 33..126, 161..172 and 174..255 stand for themselves, the 68 other
 * bytes, in order, for U+0100 and on.
 *
 * The invariant: `tokens` are sorted by id, which no two share; each merge
 * names tokens by their place there, and merges are sorted by left and then
 * right part. Everything takes memory in proportion to the files and time in
 * proportion to n log n, however hostile files or text may be. Nothing
 * changes after opening, so that threads may share one tokenizer.
 */
#define _GNU_SOURCE 1
#include "neurons/import/tokenizer.h"

#include "neurons/import/mapped_file.h"
#include "neurons/import/utf8.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { FILE_LIMIT = 1 << 28, ID_LIMIT = 1 << 24, TEXT_LIMIT = 1 << 30, ALPHABET_END = 256 + 68 };
static const uint32_t none = UINT32_MAX;

/* White space is spelled out: \s of PCRE2 also takes U+180E, which is none since Unicode 6.3. */
#define SPACES "\\t-\\r\\x{85}\\p{Z}"
static const char pieces[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
                             "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
                             "|\\p{N}"
                             "| ?[^" SPACES "\\p{L}\\p{N}]+[\\r\\n]*"
                             "|[" SPACES "]*[\\r\\n]+"
                             "|[" SPACES "]+(?![^" SPACES "])"
                             "|[" SPACES "]+";

struct token {
    uint32_t id;
    uint32_t length; /* 0 for an entry without bytes */
    size_t begin;    /* in tokenizer.bytes */
};

struct merge { /* numbers of tokens are places in tokenizer.tokens */
    uint32_t left;
    uint32_t right;
    uint32_t result;
    uint32_t rank; /* its line in merges.txt */
};

struct tokenizer {
    struct token *tokens;     /* [tokens_length] */
    size_t tokens_length;
    char *bytes;              /* of all tokens, one after the other */
    uint32_t byte_token[256]; /* the token of each byte alone */
    struct merge *merges;     /* [merges_length] */
    size_t merges_length;
    uint32_t *merges_begin;   /* [tokens_length + 1], first merge of each left part */
    pcre2_code *pattern;
    pcre2_match_context *limits;
};

/* ----------------------------------------------------------- the vocabulary */

/* Fills `bytes` with the byte each character of the alphabet stands for, -1 where none. */
static void alphabet_fill(int16_t bytes[ALPHABET_END])
{
    int moved = 256;
    memset(bytes, 0xff, ALPHABET_END * sizeof *bytes);
    for (int byte = 0; byte < 256; byte++) {
        bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
        bytes[printable ? byte : moved++] = (int16_t)byte;
    }
}

/* Writes the bytes of a vocabulary entry to `out` (room for its length) and
 * returns how many. An entry with any character outside the alphabet is taken
 * as it stands. */
static size_t entry_decode(const int16_t alphabet[ALPHABET_END], const char *entry, char *out)
{
    const unsigned char *in = (const unsigned char *)entry;
    size_t length = strlen(entry), written = 0;
    for (size_t at = 0; at < length;) {
        unsigned character = in[at++]; /* jansson has made sure of valid UTF-8 */
        if (character >= 0xc0 && character < 0xe0)
            character = (character & 0x1f) << 6 | (in[at++] & 0x3f);
        else if (character >= 0xe0)
            character = ALPHABET_END;
        if (character >= ALPHABET_END || alphabet[character] < 0) {
            memcpy(out, entry, length);
            return length;
        }
        out[written++] = (char)alphabet[character];
    }
    return written;
}

static int token_compare(const void *left, const void *right)
{
    const struct token *a = left, *b = right;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* The place of the token with that id, `none` if there is none. */
static uint32_t token_find(const struct tokenizer *tokenizer, uint32_t id)
{
    if (id < tokenizer->tokens_length && tokenizer->tokens[id].id == id)
        return id; /* as always where ids have no gaps */
    struct token wanted = {.id = id};
    const struct token *found = bsearch(&wanted, tokenizer->tokens, tokenizer->tokens_length,
                                        sizeof wanted, token_compare);
    return found == NULL ? none : (uint32_t)(found - tokenizer->tokens);
}

/* The place of the token that the vocabulary writes as `entry`. */
static uint32_t entry_find(const struct tokenizer *tokenizer, json_t *vocabulary, const char *entry)
{
    const json_t *id = json_object_get(vocabulary, entry);
    return id == NULL ? none : token_find(tokenizer, (uint32_t)json_integer_value(id));
}

static bool tokens_read(struct tokenizer *tokenizer, json_t *vocabulary, const char *path,
                        struct error *error)
{
    int16_t alphabet[ALPHABET_END];
    alphabet_fill(alphabet);
    const char *entry;
    json_t *value;
    size_t room = 1, used = 0;
    json_object_foreach(vocabulary, entry, value) {
        json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || id >= ID_LIMIT)
            return error_set(error, ERROR_FAILED, "%s: entry '%.*s' has no id from 0 to %d; the "
                             "file is damaged", path, utf8_clip(entry), entry, ID_LIMIT - 1);
        room += strlen(entry);
    }
    tokenizer->bytes = malloc(room);
    tokenizer->tokens = calloc(json_object_size(vocabulary) + 1, sizeof *tokenizer->tokens);
    if (tokenizer->bytes == NULL || tokenizer->tokens == NULL)
        return error_no_memory(error, "the vocabulary");
    json_object_foreach(vocabulary, entry, value) {
        struct token *token = &tokenizer->tokens[tokenizer->tokens_length++];
        token->id = (uint32_t)json_integer_value(value);
        token->begin = used;
        token->length = (uint32_t)entry_decode(alphabet, entry, tokenizer->bytes + used);
        used += token->length;
    }
    qsort(tokenizer->tokens, tokenizer->tokens_length, sizeof *tokenizer->tokens, token_compare);
    for (size_t i = 1; i < tokenizer->tokens_length; i++)
        if (tokenizer->tokens[i].id == tokenizer->tokens[i - 1].id)
            return error_set(error, ERROR_FAILED, "%s: two entries have the id %u; the file is "
                             "damaged", path, tokenizer->tokens[i].id);

    for (unsigned character = 0; character < ALPHABET_END; character++) {
        if (alphabet[character] < 0)
            continue;
        char symbol[3] = {(char)character, '\0', '\0'};
        if (character >= 0x80) {
            symbol[0] = (char)(0xc0 | character >> 6);
            symbol[1] = (char)(0x80 | (character & 0x3f));
        }
        uint32_t token = entry_find(tokenizer, vocabulary, symbol);
        if (token == none)
            return error_set(error, ERROR_FAILED, "%s: byte %d, written '%s', has no entry, so not "
                             "every text could be encoded; this is not a byte-level vocabulary",
                             path, alphabet[character], symbol);
        tokenizer->byte_token[alphabet[character]] = token;
    }
    return true;
}

/* --------------------------------------------------------------- the merges */

static int merge_compare(const void *left, const void *right)
{
    const struct merge *a = left, *b = right;
    if (a->left != b->left)
        return a->left < b->left ? -1 : 1;
    if (a->right != b->right)
        return a->right < b->right ? -1 : 1;
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

/* Reads one line, "left right", into `merge`. `text` has room for the line and one more byte. */
static bool merge_parse(const struct tokenizer *tokenizer, json_t *vocabulary, const char *line,
                        size_t length, struct merge *merge, char *text, const char *path,
                        size_t number, struct error *error)
{
    const char *space = memchr(line, ' ', length);
    size_t left = space == NULL ? 0 : (size_t)(space - line);
    size_t right = space == NULL ? 0 : length - left - 1;
    if (left == 0 || right == 0 || memchr(space + 1, ' ', right) != NULL
        || memchr(line, '\0', length) != NULL)
        return error_set(error, ERROR_FAILED, "%s: line %zu: is not two symbols with one space "
                         "between them; the file is damaged", path, number);
    const char *part = text;
    memcpy(text, line, left);
    text[left] = '\0';
    merge->left = entry_find(tokenizer, vocabulary, part);
    bool known = merge->left != none;
    if (known) {
        part = text + left;
        memcpy(text + left, space + 1, right);
        text[left + right] = '\0';
        merge->right = entry_find(tokenizer, vocabulary, part);
        known = merge->right != none;
    }
    if (known) {
        part = text; /* both, joined */
        merge->result = entry_find(tokenizer, vocabulary, part);
        known = merge->result != none;
    }
    if (!known)
        return error_set(error, ERROR_FAILED, "%s: line %zu: '%.*s' is not in the vocabulary; take "
                         "both files from the same model", path, number, utf8_clip(part), part);
    merge->rank = (uint32_t)number;
    return true;
}

/* Sorts the merges and notes where each left part begins. */
static bool merges_sort(struct tokenizer *tokenizer, const char *path, struct error *error)
{
    struct merge *merges = tokenizer->merges;
    size_t length = tokenizer->merges_length;
    tokenizer->merges_begin = calloc(tokenizer->tokens_length + 1, sizeof(uint32_t));
    if (tokenizer->merges_begin == NULL)
        return error_no_memory(error, "the merges");
    qsort(merges, length, sizeof *merges, merge_compare);
    for (size_t i = 1; i < length; i++)
        if (merges[i].left == merges[i - 1].left && merges[i].right == merges[i - 1].right)
            return error_set(error, ERROR_FAILED, "%s: line %u: is the same merge as line %u; the "
                             "file is damaged", path, merges[i].rank, merges[i - 1].rank);
    for (size_t i = 0; i < length; i++)
        tokenizer->merges_begin[merges[i].left + 1] = (uint32_t)(i + 1);
    for (size_t i = 1; i <= tokenizer->tokens_length; i++)
        if (tokenizer->merges_begin[i] == 0) /* begins no merge */
            tokenizer->merges_begin[i] = tokenizer->merges_begin[i - 1];
    return true;
}

static bool merges_read(struct tokenizer *tokenizer, json_t *vocabulary, const char *merges,
                        size_t length, const char *path, struct error *error)
{
    const char *end = merges + length;
    size_t lines = 1, number = 0;
    for (const char *c = merges; (c = memchr(c, '\n', (size_t)(end - c))) != NULL; c++)
        lines++;
    tokenizer->merges = calloc(lines, sizeof *tokenizer->merges);
    char *text = malloc(length + 1);
    if (tokenizer->merges == NULL || text == NULL) {
        free(text);
        return error_no_memory(error, "the merges");
    }
    for (const char *line = merges, *next; line < end; line = next) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t line_length = (size_t)((newline == NULL ? end : newline) - line);
        next = newline == NULL ? end : newline + 1;
        number++;
        if (line_length > 0 && line[line_length - 1] == '\r')
            line_length--;
        if (line_length == 0 || (number == 1 && line_length >= 8
                                 && memcmp(line, "#version", 8) == 0))
            continue;
        struct merge *merge = &tokenizer->merges[tokenizer->merges_length];
        if (!merge_parse(tokenizer, vocabulary, line, line_length, merge, text, path, number,
                         error)) {
            free(text);
            return false;
        }
        tokenizer->merges_length++;
    }
    free(text);
    return merges_sort(tokenizer, path, error);
}

static const struct merge *merge_find(const struct tokenizer *tokenizer, uint32_t left,
                                      uint32_t right)
{
    uint32_t low = tokenizer->merges_begin[left], high = tokenizer->merges_begin[left + 1];
    uint32_t end = high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tokenizer->merges[middle].right < right)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && tokenizer->merges[low].right == right ? &tokenizer->merges[low] : NULL;
}

/* ------------------------------------------------------------------ opening */

static bool pattern_compile(struct tokenizer *tokenizer, struct error *error)
{
    int code;
    PCRE2_SIZE offset;
    tokenizer->pattern = pcre2_compile((PCRE2_SPTR)pieces, PCRE2_ZERO_TERMINATED,
                                       PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &code, &offset,
                                       NULL);
    if (tokenizer->pattern == NULL) {
        PCRE2_UCHAR reason[128];
        pcre2_get_error_message(code, reason, sizeof reason);
        return error_set(error, ERROR_FAILED, "PCRE2 does not take the tokenizer's expression: %s; "
                         "a PCRE2 with Unicode support is needed", (const char *)reason);
    }
    tokenizer->limits = pcre2_match_context_create(NULL);
    if (tokenizer->limits == NULL)
        return error_no_memory(error, "the tokenizer");
    /* Backing out of a run of white space takes one step a character, and no other
     * alternative backs out of more: the length of the text is limit enough. */
    pcre2_set_match_limit(tokenizer->limits, UINT32_MAX);
    pcre2_jit_compile(tokenizer->pattern, PCRE2_JIT_COMPLETE); /* slower without, no worse */
    return true;
}

static struct tokenizer *tokenizer_build(const char *vocab_path, const char *vocab,
                                         size_t vocab_length, const char *merges_path,
                                         const char *merges, size_t merges_length,
                                         struct error *error)
{
    json_error_t where;
    json_t *vocabulary = json_loadb(vocab, vocab_length, JSON_REJECT_DUPLICATES, &where);
    if (vocabulary == NULL || !json_is_object(vocabulary)) {
        if (vocabulary == NULL)
            error_set(error, ERROR_FAILED, "%s: line %d, column %d: %s; the file is damaged",
                      vocab_path, where.line, where.column, where.text);
        else
            error_set(error, ERROR_FAILED, "%s: is not an object of token: id", vocab_path);
        json_decref(vocabulary);
        return NULL;
    }
    struct tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (tokenizer == NULL)
        error_no_memory(error, "the tokenizer");
    else if (!tokens_read(tokenizer, vocabulary, vocab_path, error)
             || !merges_read(tokenizer, vocabulary, merges, merges_length, merges_path, error)
             || !pattern_compile(tokenizer, error)) {
        tokenizer_free(tokenizer);
        tokenizer = NULL;
    }
    json_decref(vocabulary);
    return tokenizer;
}

struct tokenizer *tokenizer_open_memory(const char *vocab, size_t vocab_length, const char *merges,
                                        size_t merges_length, struct error *error)
{
    return tokenizer_build("vocab.json", vocab, vocab_length, "merges.txt", merges, merges_length,
                           error);
}

struct tokenizer *tokenizer_open(const char *folder, struct error *error)
{
    struct mapped_file vocab = {0}, merges = {0};
    struct tokenizer *tokenizer = NULL;
    char *vocab_path = NULL, *merges_path = NULL;
    if (asprintf(&vocab_path, "%s/vocab.json", folder) < 0)
        vocab_path = NULL;
    if (asprintf(&merges_path, "%s/merges.txt", folder) < 0)
        merges_path = NULL;
    if (vocab_path == NULL || merges_path == NULL)
        error_no_memory(error, "the path of a file");
    else if (access(vocab_path, F_OK) != 0 || access(merges_path, F_OK) != 0)
        error_set(error, ERROR_MISUSED, "%s: does not hold the tokenizer, which is vocab.json and "
                  "merges.txt; put them there from where the model came", utf8_tail(folder));
    else if (mapped_file_open(&vocab, vocab_path, FILE_LIMIT, error)
             && mapped_file_open(&merges, merges_path, FILE_LIMIT, error))
        tokenizer = tokenizer_build(utf8_tail(vocab_path), (const char *)vocab.bytes, vocab.length,
                                    utf8_tail(merges_path), (const char *)merges.bytes,
                                    merges.length, error);
    mapped_file_close(&vocab);
    mapped_file_close(&merges);
    free(vocab_path);
    free(merges_path);
    return tokenizer;
}

void tokenizer_free(struct tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    pcre2_match_context_free(tokenizer->limits);
    pcre2_code_free(tokenizer->pattern);
    free(tokenizer->merges_begin);
    free(tokenizer->merges);
    free(tokenizer->tokens);
    free(tokenizer->bytes);
    free(tokenizer);
}

uint32_t tokenizer_size(const struct tokenizer *tokenizer)
{
    return tokenizer->tokens[tokenizer->tokens_length - 1].id + 1;
}

const char *tokenizer_bytes(const struct tokenizer *tokenizer, uint32_t token, size_t *length)
{
    uint32_t place = token_find(tokenizer, token);
    *length = place == none ? 0 : tokenizer->tokens[place].length;
    return *length == 0 ? NULL : tokenizer->bytes + tokenizer->tokens[place].begin;
}

/* ----------------------------------------------------------------- encoding */

/* One piece being merged: symbols in a doubly linked list, and a heap of the
 * pairs that could merge, each written as rank * 2^32 + place of its left
 * symbol, so that the least is the next to merge. A pair in the heap counts
 * only while its left symbol still has that rank. There are never more than
 * 2 * capacity pairs: one for each pair at the start, and a merge takes one
 * out before it puts at most two in. */
struct symbol {
    uint32_t token;    /* place in tokenizer.tokens */
    uint32_t previous; /* `none` at the beginning */
    uint32_t next;     /* `none` at the end */
    uint32_t rank;     /* of the pair with the next symbol, `none` if they do not merge */
};

struct merging {
    const struct tokenizer *tokenizer;
    struct symbol *symbols; /* [capacity] */
    uint64_t *heap;         /* [2 * capacity] */
    size_t heap_length;
    size_t capacity;
};

static void heap_push(struct merging *merging, uint64_t pair)
{
    uint64_t *heap = merging->heap;
    size_t at = merging->heap_length++;
    while (at > 0 && heap[(at - 1) / 2] > pair) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = pair;
}

static uint64_t heap_pop(struct merging *merging)
{
    uint64_t *heap = merging->heap, least = heap[0], last = heap[--merging->heap_length];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < merging->heap_length) {
        if (child + 1 < merging->heap_length && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= last)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return least;
}

/* Looks at the pair that begins at `place` and lines it up if it could merge. */
static void pair_consider(struct merging *merging, uint32_t place)
{
    struct symbol *symbol = &merging->symbols[place];
    const struct merge *merge = symbol->next == none ? NULL
        : merge_find(merging->tokenizer, symbol->token, merging->symbols[symbol->next].token);
    symbol->rank = merge == NULL ? none : merge->rank;
    if (merge != NULL)
        heap_push(merging, (uint64_t)merge->rank << 32 | place);
}

static void pair_merge(struct merging *merging, uint32_t place)
{
    struct symbol *symbols = merging->symbols, *symbol = &symbols[place];
    struct symbol *gone = &symbols[symbol->next];
    symbol->token = merge_find(merging->tokenizer, symbol->token, gone->token)->result;
    symbol->next = gone->next;
    if (gone->next != none)
        symbols[gone->next].previous = place;
    gone->rank = none;
    pair_consider(merging, place);
    if (symbol->previous != none)
        pair_consider(merging, symbol->previous);
}

static bool merging_reserve(struct merging *merging, size_t length, struct error *error)
{
    if (length <= merging->capacity)
        return true;
    free(merging->symbols);
    free(merging->heap);
    merging->capacity = length < 256 ? 256 : length;
    merging->symbols = calloc(merging->capacity, sizeof *merging->symbols);
    merging->heap = calloc(merging->capacity, 2 * sizeof *merging->heap);
    return (merging->symbols != NULL && merging->heap != NULL)
        || error_no_memory(error, "encoding text");
}

/* Encodes one piece, of 1 to TEXT_LIMIT bytes, into `out` and returns how many tokens it gave. */
static size_t piece_encode(struct merging *merging, const char *piece, size_t length, uint32_t *out)
{
    const struct tokenizer *tokenizer = merging->tokenizer;
    struct symbol *symbols = merging->symbols;
    for (size_t i = 0; i < length; i++) {
        symbols[i].token = tokenizer->byte_token[(unsigned char)piece[i]];
        symbols[i].previous = i == 0 ? none : (uint32_t)(i - 1);
        symbols[i].next = i + 1 == length ? none : (uint32_t)(i + 1);
    }
    for (size_t i = 0; i < length; i++)
        pair_consider(merging, (uint32_t)i);
    while (merging->heap_length > 0) {
        uint64_t pair = heap_pop(merging);
        uint32_t place = (uint32_t)pair;
        if (symbols[place].rank == (uint32_t)(pair >> 32))
            pair_merge(merging, place);
    }
    size_t count = 0;
    for (uint32_t place = 0; place != none; place = symbols[place].next)
        out[count++] = tokenizer->tokens[symbols[place].token].id;
    return count;
}

/* Encodes normal text into `out` (room for one token a byte) and adds to *count. */
static bool pieces_encode(struct merging *merging, pcre2_match_data *match, const char *text,
                          size_t length, uint32_t *out, size_t *count, struct error *error)
{
    const struct tokenizer *tokenizer = merging->tokenizer;
    for (size_t at = 0; at < length;) {
        int found = pcre2_match(tokenizer->pattern, (PCRE2_SPTR)text, length, at,
                                PCRE2_NO_UTF_CHECK, match, tokenizer->limits);
        if (found < 0) { /* never PCRE2_ERROR_NOMATCH: any character begins a piece */
            PCRE2_UCHAR reason[128];
            pcre2_get_error_message(found, reason, sizeof reason);
            return error_set(error, ERROR_FAILED, "text: cannot be cut into pieces at byte %zu: %s",
                             at, (const char *)reason);
        }
        size_t end = pcre2_get_ovector_pointer(match)[1];
        if (!merging_reserve(merging, end - at, error))
            return false;
        *count += piece_encode(merging, text + at, end - at, out + *count);
        at = end;
    }
    return true;
}

bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length,
                      uint32_t **tokens, size_t *count, struct error *error)
{
    const char *normal;
    size_t normal_length, invalid = utf8_invalid_at(text, length);
    *tokens = NULL;
    *count = 0;
    if (invalid < length)
        return error_set(error, ERROR_MISUSED, "text: byte %zu (0x%02x) is not valid UTF-8; "
                         "convert the text to UTF-8", invalid, (unsigned char)text[invalid]);
    if (length == 0)
        return true;
    if (!utf8_normalise(text, length, &normal, &normal_length, error))
        return false;
    struct merging merging = {.tokenizer = tokenizer};
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    uint32_t *out = NULL;
    bool encoded = false;
    if (normal_length > TEXT_LIMIT)
        error_set(error, ERROR_MISUSED, "text: has %zu bytes, more than the %d that can be encoded "
                  "at once; cut it in parts", normal_length, TEXT_LIMIT);
    else if ((out = calloc(normal_length, sizeof *out)) == NULL || match == NULL)
        error_no_memory(error, "encoding text");
    else
        encoded = pieces_encode(&merging, match, normal, normal_length, out, count, error);
    free(merging.symbols);
    free(merging.heap);
    pcre2_match_data_free(match);
    if (normal != text)
        free((char *)(uintptr_t)normal);
    if (!encoded) {
        free(out);
        *count = 0;
        return false;
    }
    uint32_t *fitted = realloc(out, *count * sizeof *out);
    *tokens = fitted == NULL ? out : fitted;
    return true;
}
