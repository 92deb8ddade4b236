/* The costly parts of each request: from categories to the model's inputs, and from inputs through the trees.
 *
 * Gives the same results as `features.encoder` with NumPy and `scoring.engines.booster` with LightGBM, to the last bit;
 * tests compare them. `build.py` compiles it. Errors are Python exceptions.
 */
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- XXH64 by its specification (doc/xxhash_spec.md of Cyan4973/xxHash), for little-endian machines. ---- */

static const uint64_t P1 = 0x9E3779B185EBCA87u, P2 = 0xC2B2AE3D27D4EB4Fu, P3 = 0x165667B19E3779F9u,
                      P4 = 0x85EBCA77C2B2AE63u, P5 = 0x27D4EB2F165667C5u, SEED = 42;

static inline uint64_t rotate(uint64_t value, int bits) { return value << bits | value >> (64 - bits); }
static inline uint64_t stir(uint64_t lane, uint64_t input) { return rotate(lane + input * P2, 31) * P1; }

static inline uint64_t read64(const unsigned char *from) {
    uint64_t value;
    memcpy(&value, from, 8);
    return value;
}

static inline uint32_t read32(const unsigned char *from) {
    uint32_t value;
    memcpy(&value, from, 4);
    return value;
}

static inline uint64_t hash_from(uint64_t seed, const char *text, size_t length) {
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    uint64_t found = seed + P5;
    if (length >= 32) {
        uint64_t lanes[4] = {seed + P1 + P2, seed + P2, seed, seed - P1};
        for (; at + 32 <= end; at += 32)
            for (int i = 0; i < 4; i++) lanes[i] = stir(lanes[i], read64(at + 8 * i));
        found = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
        for (int i = 0; i < 4; i++) found = (found ^ stir(0, lanes[i])) * P1 + P4;
    }
    found += length;
    for (; at + 8 <= end; at += 8) found = rotate(found ^ stir(0, read64(at)), 27) * P1 + P4;
    if (at + 4 <= end) {
        found = rotate(found ^ read32(at) * P1, 23) * P2 + P3;
        at += 4;
    }
    for (; at < end; at++) found = rotate(found ^ *at * P5, 11) * P1;
    found = (found ^ found >> 33) * P2;
    found = (found ^ found >> 29) * P3;
    return found ^ found >> 32;
}

static uint64_t hash(const char *text, size_t length) { return hash_from(SEED, text, length); }

/* See `features.hashing.pair_hashes`. */
static uint64_t pair_hash(uint64_t first, uint64_t second) {
    const uint64_t missing = hash("", 0);
    return first == missing || second == missing ? missing : hash_from(first, (const char *)&second, 8);
}

/* ---- The encoder: see `scoring.model.encoding.Tables` for the arrays. ---- */

typedef struct {
    Py_ssize_t fields, inputs; /* per row; those of kinds of columns that are not computed here come last */
    Py_ssize_t numbers, categories, crossed, entries, factored[2], factors; /* numbers in a vector; 0 without factors */
    int shift;
    Py_buffer keys, starts, pairs, salts, crosses, vectors, vector_of;
    PyObject *separators; /* a tuple: a text for each field with several values, else None */
} Tables;

static const char TABLES[] = "scoring.native.tables", FOREST[] = "scoring.native.forest";

static void free_tables(PyObject *capsule) {
    Tables *tables = PyCapsule_GetPointer(capsule, TABLES);
    PyBuffer_Release(&tables->keys);
    PyBuffer_Release(&tables->starts);
    PyBuffer_Release(&tables->pairs);
    PyBuffer_Release(&tables->salts);
    PyBuffer_Release(&tables->crosses);
    PyBuffer_Release(&tables->vectors);
    PyBuffer_Release(&tables->vector_of);
    Py_XDECREF(tables->separators);
    free(tables);
}

static PyObject *prepare_tables(PyObject *self, PyObject *arguments) {
    Tables *tables = calloc(1, sizeof *tables);
    if (!tables) return PyErr_NoMemory();
    if (!PyArg_ParseTuple(arguments, "nnny*y*y*y*iO!y*y*y*(nn)n", &tables->fields, &tables->inputs, &tables->numbers,
                          &tables->keys, &tables->starts, &tables->pairs, &tables->salts, &tables->shift,
                          &PyTuple_Type, &tables->separators, &tables->crosses, &tables->vectors,
                          &tables->vector_of, tables->factored, tables->factored + 1, &tables->factors)) {
        free(tables);
        return NULL;
    }
    Py_INCREF(tables->separators);
    tables->entries = tables->keys.len / 8;
    tables->categories = PyTuple_Size(tables->separators);
    tables->crossed = tables->crosses.len / 16;
    return PyCapsule_New(tables, TABLES, free_tables);
}

static inline const uint32_t *bucket(const Tables *tables, uint64_t key) {
    return (const uint32_t *)tables->starts.buf + (key >> tables->shift);
}

/* The place of a key's pair, searched in its bucket; the pairs of unknown values follow the known ones. */
static inline size_t place(const Tables *tables, Py_ssize_t column, uint64_t key) {
    const uint64_t *keys = tables->keys.buf;
    const uint32_t *bounds = bucket(tables, key);
    for (uint32_t at = bounds[0]; at < bounds[1]; at++)
        if (keys[at] == key) return at;
    return tables->entries + column;
}

static inline const float *pair(const Tables *tables, size_t at) { return (const float *)tables->pairs.buf + 2 * at; }

static int ascending(const void *one, const void *other) {
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

/* The text of a record's field, valid until the next call: an integer stands for its digits. */
static const char *text_of(const Tables *tables, PyObject *row, Py_ssize_t field, PyObject *unset, Py_ssize_t *length) {
    static PyObject *digits = NULL;
    PyObject *value = PyTuple_GetItem(row, tables->numbers + field);
    *length = 0;
    if (value == Py_None || value == unset) return "";
    if (PyLong_Check(value) || PyFloat_Check(value)) {
        PyObject *integer = PyNumber_Long(value);
        if (!integer) return NULL;
        Py_XDECREF(digits);
        value = digits = PyObject_Str(integer);
        Py_DECREF(integer);
        if (!value) return NULL;
    }
    return PyUnicode_AsUTF8AndSize(value, length);
}

/* The hashes of a field's distinct values, ascending as signed numbers. The caller frees them. */
static uint64_t *values(const char *text, Py_ssize_t length, PyObject *separator, Py_ssize_t *distinct) {
    Py_ssize_t width = 1, count = 0;
    const char *split = separator == Py_None ? "" : PyUnicode_AsUTF8AndSize(separator, &width), *end = text + length;
    if (!split) return NULL;
    uint64_t *hashes = malloc((length / width + 1) * sizeof *hashes);
    if (!hashes) return PyErr_NoMemory(), NULL;
    *distinct = 1;
    hashes[0] = hash(text, length);
    if (separator == Py_None) return hashes;
    for (const char *from = text; from <= end;) {
        const char *to = from;
        while (to < end && !(end - to >= width && memcmp(to, split, width) == 0)) to++;
        const char *first = from, *last = to;
        while (first < last && *first == ' ') first++;
        while (first < last && last[-1] == ' ') last--;
        if (first < last) hashes[count++] = hash(first, last - first);
        from = to < end ? to + width : end + 1;
    }
    if (!count) hashes[count++] = hash("", 0);
    qsort(hashes, count, sizeof *hashes, ascending);
    for (Py_ssize_t i = 1; i < count; i++)
        if (hashes[i] != hashes[i - 1]) hashes[(*distinct)++] = hashes[i];
    return hashes;
}

/* The means of values' rates and log counts, summed in the values' order. */
static void mean(const Tables *tables, Py_ssize_t column, const uint64_t *hashes, Py_ssize_t count, double *out) {
    double total[2] = {0, 0};
    const uint64_t salt = ((const uint64_t *)tables->salts.buf)[column];
    for (Py_ssize_t i = 0; i < count; i++) {
        const float *known = pair(tables, place(tables, column, hashes[i] ^ salt));
        total[0] += known[0];
        total[1] += known[1];
    }
    out[0] = (float)(total[0] / count);
    out[1] = (float)(total[1] / count);
}

/* The means over the pairs of two fields' values. One field has a single value; a missing one makes a single pair. */
static int cross(const Tables *tables, Py_ssize_t number, PyObject *row, PyObject *unset, double *out) {
    const int64_t *fields = (const int64_t *)tables->crosses.buf + 2 * number;
    uint64_t *found[2] = {NULL, NULL};
    Py_ssize_t count[2] = {0, 0}, length;
    for (int i = 0; i < 2; i++) {
        const char *text = text_of(tables, row, fields[i], unset, &length);
        found[i] = text ? values(text, length, PyTuple_GetItem(tables->separators, fields[i]), count + i) : NULL;
    }
    int failed = !found[0] || !found[1];
    if (!failed) {
        const int longer = count[1] > count[0];
        const uint64_t single = found[!longer][0];
        uint64_t *pairs = found[longer];
        for (Py_ssize_t i = 0; i < count[longer]; i++)
            pairs[i] = longer ? pair_hash(single, pairs[i]) : pair_hash(pairs[i], single);
        mean(tables, tables->categories + number, pairs, single == hash("", 0) ? 1 : count[longer], out);
    }
    free(found[0]);
    free(found[1]);
    return failed ? -1 : 0;
}

/* The dot product of two values' vectors, given the values' places, and the smaller of their log counts. */
static void product(const Tables *tables, size_t first, size_t second, double *out) {
    const uint32_t *of = tables->vector_of.buf;
    const float *one = (const float *)tables->vectors.buf + of[first] * tables->factors;
    const float *other = (const float *)tables->vectors.buf + of[second] * tables->factors;
    const float counts[2] = {pair(tables, first)[1], pair(tables, second)[1]};
    double total = 0;
    for (Py_ssize_t i = 0; i < tables->factors; i++) total += (double)one[i] * other[i];
    out[0] = (float)total;
    out[1] = counts[counts[1] < counts[0]];
}

/* Encodes a record. All hashes come first, then all buckets, so that columns share the wait for memory. */
static int encode_row(const Tables *tables, PyObject *row, PyObject *unset, uint64_t *keys, double *out) {
    const uint64_t *salts = tables->salts.buf;
    double *encoded = out + tables->numbers;
    for (Py_ssize_t i = 0; i < tables->numbers; i++) {
        PyObject *value = PyTuple_GetItem(row, i);
        out[i] = value == Py_None ? NAN : PyFloat_AsDouble(value);
    }
    for (Py_ssize_t i = 0; i < tables->categories; i++) {
        PyObject *separator = PyTuple_GetItem(tables->separators, i);
        Py_ssize_t length, count;
        const char *text = text_of(tables, row, i, unset, &length);
        if (!text) return -1;
        if (separator != Py_None) {
            uint64_t *hashes = values(text, length, separator, &count);
            if (!hashes) return -1;
            mean(tables, i, hashes, count, encoded + 2 * i);
            free(hashes);
        }
        keys[i] = hash(text, length) ^ salts[i];
        __builtin_prefetch(bucket(tables, keys[i]));
    }
    for (Py_ssize_t i = 0; i < tables->categories; i++)
        __builtin_prefetch((const uint64_t *)tables->keys.buf + *bucket(tables, keys[i]));
    for (Py_ssize_t i = 0; i < tables->categories; i++) {
        keys[i] = place(tables, i, keys[i]);
        __builtin_prefetch(pair(tables, keys[i]));
    }
    for (Py_ssize_t i = 0; i < tables->categories; i++) {
        if (PyTuple_GetItem(tables->separators, i) != Py_None) continue;
        encoded[2 * i] = pair(tables, keys[i])[0];
        encoded[2 * i + 1] = pair(tables, keys[i])[1];
    }
    for (Py_ssize_t i = 0; i < tables->crossed; i++)
        if (cross(tables, i, row, unset, encoded + 2 * (tables->categories + i)) < 0) return -1;
    if (tables->factors)
        product(tables, keys[tables->factored[0]], keys[tables->factored[1]],
                encoded + 2 * (tables->categories + tables->crossed));
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *encode(PyObject *self, PyObject *arguments) {
    PyObject *capsule, *rows, *unset;
    Py_buffer out;
    if (!PyArg_ParseTuple(arguments, "OO!Ow*", &capsule, &PyList_Type, &rows, &unset, &out)) return NULL;
    const Tables *tables = PyCapsule_GetPointer(capsule, TABLES);
    Py_ssize_t count = PyList_Size(rows), failed = !tables;
    uint64_t *keys = failed ? NULL : malloc((tables->categories + 1) * sizeof *keys);
    if (!failed && (!keys || out.len != count * tables->inputs * (Py_ssize_t)sizeof(double))) {
        PyErr_SetString(PyExc_ValueError, "the inputs do not have the size of the rows");
        failed = 1;
    }
    for (Py_ssize_t i = 0; !failed && i < count; i++) {
        PyObject *row = PyList_GetItem(rows, i);
        if (PyTuple_Size(row) != tables->fields) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_ValueError, "a row does not have the schema's number of values");
            failed = 1;
        } else
            failed = encode_row(tables, row, unset, keys, (double *)out.buf + i * tables->inputs) < 0;
    }
    free(keys);
    PyBuffer_Release(&out);
    if (failed) return NULL;
    Py_RETURN_NONE;
}

/* How many values are neither of two objects, which mark absent fields. */
static PyObject *given(PyObject *self, PyObject *arguments) {
    PyObject *rows, *first, *second;
    Py_ssize_t found = 0;
    if (!PyArg_ParseTuple(arguments, "O!OO", &PyTuple_Type, &rows, &first, &second)) return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_Size(rows); i++) {
        PyObject *row = PyTuple_GetItem(rows, i);
        Py_ssize_t width = PyTuple_Size(row);
        if (width < 0) return NULL;
        for (Py_ssize_t j = 0; j < width; j++) {
            PyObject *value = PyTuple_GetItem(row, j);
            found += (value != first) & (value != second);
        }
    }
    return PyLong_FromSsize_t(found);
}

/* ---- The trees: see `scoring.engines.forest` for the arrays. ---- */

typedef struct {
    double threshold;
    uint16_t children[2]; /* the next node above the threshold, and otherwise; a leaf leads to itself */
    uint16_t feature, nan_as_small;
} Node;

typedef struct {
    Py_ssize_t features, trees;
    double sigmoid;
    Py_buffer nodes, values, starts, depths;
} Forest;

enum { TOGETHER = 8 }; /* trees walked at a time: a step waits for the one before it, but not for other trees */

static void free_forest(PyObject *capsule) {
    Forest *forest = PyCapsule_GetPointer(capsule, FOREST);
    PyBuffer_Release(&forest->nodes);
    PyBuffer_Release(&forest->values);
    PyBuffer_Release(&forest->starts);
    PyBuffer_Release(&forest->depths);
    free(forest);
}

static PyObject *prepare_forest(PyObject *self, PyObject *arguments) {
    Forest *forest = calloc(1, sizeof *forest);
    if (!forest) return PyErr_NoMemory();
    if (!PyArg_ParseTuple(arguments, "ndy*y*y*y*", &forest->features, &forest->sigmoid, &forest->nodes, &forest->values,
                          &forest->starts, &forest->depths)) {
        free(forest);
        return NULL;
    }
    forest->trees = forest->depths.len / 4;
    return PyCapsule_New(forest, FOREST, free_forest);
}

/* The sum of the leaves' values in the order of the trees, as LightGBM computes it. */
static double raw_score(const Forest *forest, const double *row) {
    const uint32_t *starts = forest->starts.buf;
    const int32_t *depths = forest->depths.buf;
    const double *values = forest->values.buf;
    double score = 0;
    for (Py_ssize_t first = 0; first < forest->trees; first += TOGETHER) {
        Py_ssize_t count = forest->trees - first < TOGETHER ? forest->trees - first : TOGETHER;
        const Node *trees[TOGETHER];
        size_t at[TOGETHER] = {0};
        int32_t depth = 0;
        for (Py_ssize_t i = 0; i < TOGETHER; i++) {
            Py_ssize_t tree = first + (i < count ? i : 0);
            trees[i] = (const Node *)forest->nodes.buf + starts[tree];
            if (depths[tree] > depth) depth = depths[tree];
        }
        while (depth--)
            for (int i = 0; i < TOGETHER; i++) {
                const Node *node = trees[i] + at[i];
                double number = row[node->feature];
                at[i] = node->children[(number <= node->threshold) | (node->nan_as_small & (number != number))];
            }
        for (Py_ssize_t i = 0; i < count; i++) score += values[starts[first + i] + at[i]];
    }
    return score;
}

static PyObject *predict(PyObject *self, PyObject *arguments) {
    PyObject *capsule;
    Py_buffer inputs;
    if (!PyArg_ParseTuple(arguments, "Oy*", &capsule, &inputs)) return NULL;
    const Forest *forest = PyCapsule_GetPointer(capsule, FOREST);
    PyObject *found = NULL;
    if (forest) {
        Py_ssize_t count = inputs.len / (forest->features * (Py_ssize_t)sizeof(double));
        found = PyList_New(count);
        for (Py_ssize_t i = 0; found && i < count; i++) {
            double score = raw_score(forest, (const double *)inputs.buf + i * forest->features);
            PyObject *probability = PyFloat_FromDouble(1.0 / (1.0 + exp(-forest->sigmoid * score)));
            if (!probability || PyList_SetItem(found, i, probability) < 0) Py_CLEAR(found);
        }
    }
    PyBuffer_Release(&inputs);
    return found;
}

static PyMethodDef METHODS[] = {
    {"prepare_tables", prepare_tables, METH_VARARGS, NULL},
    {"encode", encode, METH_VARARGS, NULL},
    {"given", given, METH_VARARGS, NULL},
    {"prepare_forest", prepare_forest, METH_VARARGS, NULL},
    {"predict", predict, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "kernel", NULL, -1, METHODS, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_kernel(void) { return PyModule_Create(&MODULE); }
