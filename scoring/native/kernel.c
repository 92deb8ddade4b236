/* The costly parts of each request: from categories to the model's inputs, from inputs through the trees, and from a
 * history to the best items.
 *
 * Gives the same results as `features.encoder` and `recommend` with NumPy, and `scoring.engines.booster` with
 * LightGBM, to the last bit; tests compare them. `build.py` compiles it. Errors are Python exceptions.
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

/* ---- The trees: see `scoring.engines.forest` for the arrays. ---- */

typedef struct {
    uint32_t split, leaf; /* the first of each */
} Piece;

typedef struct {
    Py_ssize_t features, pieces;
    double sigmoid;
    Py_buffer thresholds, right, differing, columns, values, starts;
} Forest;

/* Numbers are compared in vectors: those of several rows with a split, or one row's with several splits. */
typedef double Numbers __attribute__((vector_size(32), aligned(8)));
typedef uint64_t Leaves __attribute__((vector_size(32), aligned(8)));
enum { LANES = sizeof(Numbers) / sizeof(double), ROWS = 4 * LANES };
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__)
#define FASTEST __attribute__((target_clones("avx2", "default")))
#else
#define FASTEST
#endif

static void free_forest(PyObject *capsule) {
    Forest *forest = PyCapsule_GetPointer(capsule, FOREST);
    PyBuffer_Release(&forest->thresholds);
    PyBuffer_Release(&forest->right);
    PyBuffer_Release(&forest->differing);
    PyBuffer_Release(&forest->columns);
    PyBuffer_Release(&forest->values);
    PyBuffer_Release(&forest->starts);
    free(forest);
}

static PyObject *prepare_forest(PyObject *self, PyObject *arguments) {
    Forest *forest = calloc(1, sizeof *forest);
    if (!forest) return PyErr_NoMemory();
    if (!PyArg_ParseTuple(arguments, "ndy*y*y*y*y*y*", &forest->features, &forest->sigmoid, &forest->thresholds,
                          &forest->right, &forest->differing, &forest->columns, &forest->values, &forest->starts)) {
        free(forest);
        return NULL;
    }
    forest->pieces = forest->starts.len / (Py_ssize_t)sizeof(Piece) - 1;
    return PyCapsule_New(forest, FOREST, free_forest);
}

/* The sums of the leaves' values in the order of the trees, as LightGBM computes them. Every split is compared: that
 * takes fewer steps than to walk, since none depends on another's. What is left of a piece is at most one leaf. */
FASTEST static void score_rows(const Forest *forest, const double *numbers, double *scores) {
    const Piece *pieces = forest->starts.buf;
    const double *thresholds = forest->thresholds.buf, *values = forest->values.buf;
    const uint64_t *right = forest->right.buf, *differing = forest->differing.buf;
    const uint32_t *columns = forest->columns.buf;
    memset(scores, 0, ROWS * sizeof *scores);
    for (Py_ssize_t at = 0; at < forest->pieces; at++) {
        union {
            Leaves in[ROWS / LANES];
            uint64_t of[ROWS];
        } left;
        memset(&left, -1, sizeof left);
        for (uint32_t split = pieces[at].split; split < pieces[at + 1].split; split++) {
            const Numbers *own = (const Numbers *)(numbers + columns[split] * ROWS);
            for (int i = 0; i < ROWS / LANES; i++)
                left.in[i] &= right[split] ^ ((Leaves)(own[i] <= thresholds[split]) & differing[split]);
        }
        for (int i = 0; i < ROWS; i++)
            if (left.of[i]) scores[i] += values[pieces[at].leaf + __builtin_ctzll(left.of[i])];
    }
}

/* The same for one row. Each piece has a multiple of `LANES` splits, some of which may leave every leaf. */
FASTEST static double score_row(const Forest *forest, const double *numbers) {
    const Piece *pieces = forest->starts.buf;
    const uint32_t *columns = forest->columns.buf;
    double score = 0;
    for (Py_ssize_t at = 0; at < forest->pieces; at++) {
        Leaves left = {-1, -1, -1, -1};
        for (uint32_t split = pieces[at].split; split < pieces[at + 1].split; split += LANES) {
            const Numbers own = {numbers[columns[split]], numbers[columns[split + 1]], numbers[columns[split + 2]],
                                 numbers[columns[split + 3]]};
            const Leaves small = (Leaves)(own <= *(const Numbers *)((const double *)forest->thresholds.buf + split));
            left &= *(const Leaves *)((const uint64_t *)forest->right.buf + split) ^
                    (small & *(const Leaves *)((const uint64_t *)forest->differing.buf + split));
        }
        const uint64_t last = left[0] & left[1] & left[2] & left[3];
        if (last) score += ((const double *)forest->values.buf)[pieces[at].leaf + __builtin_ctzll(last)];
    }
    return score;
}

/* Writes rows as columns, `apart` numbers from each other, and behind these the columns with NaN as the smallest. */
static void turn(const Forest *forest, const double *rows, Py_ssize_t count, Py_ssize_t apart, double *columns) {
    for (Py_ssize_t i = 0; i < count; i++)
        for (Py_ssize_t j = 0; j < forest->features; j++) {
            const double number = rows[i * forest->features + j];
            columns[j * apart + i] = number;
            columns[(forest->features + j) * apart + i] = number != number ? -INFINITY : number;
        }
}

static PyObject *predict(PyObject *self, PyObject *arguments) {
    PyObject *capsule, *found = NULL;
    Py_buffer inputs;
    if (!PyArg_ParseTuple(arguments, "Oy*", &capsule, &inputs)) return NULL;
    const Forest *forest = PyCapsule_GetPointer(capsule, FOREST);
    double *columns = forest ? calloc(2 * forest->features * ROWS + 1, sizeof *columns) : NULL, scores[ROWS];
    if (columns) {
        Py_ssize_t count = inputs.len / (forest->features * (Py_ssize_t)sizeof(double)), step;
        found = PyList_New(count);
        for (Py_ssize_t first = 0; found && first < count; first += step) {
            step = count - first < LANES ? 1 : count - first < ROWS ? count - first : ROWS;
            turn(forest, (const double *)inputs.buf + first * forest->features, step, step > 1 ? ROWS : 1, columns);
            if (step > 1)
                score_rows(forest, columns, scores);
            else
                scores[0] = score_row(forest, columns);
            for (Py_ssize_t i = 0; found && i < step; i++) {
                PyObject *probability = PyFloat_FromDouble(1.0 / (1.0 + exp(-forest->sigmoid * scores[i])));
                if (!probability || PyList_SetItem(found, first + i, probability) < 0) Py_CLEAR(found);
            }
        }
        free(columns);
    } else if (forest)
        PyErr_NoMemory();
    PyBuffer_Release(&inputs);
    return found;
}

/* ---- Weights between items: see `scoring.model.item_weights` for the arrays. ---- */

typedef struct {
    Py_ssize_t items, history;
    Py_buffer starts, others, weights, chosen, out;
} Weights;

/* Parses the weights, a history, the array that gets the result, and one or two more arrays. */
static int read_weights(Weights *weights, PyObject *arguments, Py_buffer *more, Py_buffer *last) {
    if (!PyArg_ParseTuple(arguments, last ? "y*y*y*y*w*y*y*" : "y*y*y*y*w*y*", &weights->starts, &weights->others,
                          &weights->weights, &weights->chosen, &weights->out, more, last))
        return -1;
    weights->items = weights->starts.len / 8 - 1;
    weights->history = weights->chosen.len / 8;
    const Py_ssize_t every = weights->others.len / 4;
    int right = weights->items >= 0 && weights->weights.len == every * 4;
    for (Py_ssize_t i = 0; right && i < weights->history; i++) {
        const int64_t item = ((const int64_t *)weights->chosen.buf)[i];
        const int64_t *row = (const int64_t *)weights->starts.buf + item;
        right = item >= 0 && item < weights->items && 0 <= row[0] && row[0] <= row[1] && row[1] <= every;
    }
    if (!right) PyErr_SetString(PyExc_ValueError, "the weights or the history are not of these items");
    return right ? 0 : -1;
}

static PyObject *free_weights(Weights *weights, int failed) {
    PyBuffer_Release(&weights->starts);
    PyBuffer_Release(&weights->others);
    PyBuffer_Release(&weights->weights);
    PyBuffer_Release(&weights->chosen);
    PyBuffer_Release(&weights->out);
    if (failed) return NULL;
    Py_RETURN_NONE;
}

static PyObject *add_weights(PyObject *self, PyObject *arguments) {
    Weights weights = {0};
    Py_buffer counts = {0};
    int failed = read_weights(&weights, arguments, &counts, NULL) < 0;
    if (!failed && (weights.out.len != weights.items * 8 || counts.len != weights.history * 8)) {
        PyErr_SetString(PyExc_ValueError, "there is not a score for each item and a count for each choice");
        failed = 1;
    }
    double *scores = weights.out.buf;
    for (Py_ssize_t i = 0; !failed && i < weights.history; i++) {
        const int64_t *row = (const int64_t *)weights.starts.buf + ((const int64_t *)weights.chosen.buf)[i];
        const uint32_t *others = weights.others.buf;
        const float *values = weights.weights.buf;
        const double count = ((const double *)counts.buf)[i];
        if (count == 1) /* most often, and faster without a product */
            for (int64_t j = row[0]; j < row[1]; j++) scores[others[j]] += values[j];
        else
            for (int64_t j = row[0]; j < row[1]; j++) scores[others[j]] += values[j] * count;
    }
    PyBuffer_Release(&counts);
    return free_weights(&weights, failed);
}

/* The weight of an item in the row of another one, 0 if it has none there. A row's items ascend. */
static float weight_of(const Weights *weights, int64_t row, int64_t item) {
    const int64_t *starts = weights->starts.buf;
    const uint32_t *others = weights->others.buf, *at = others + starts[row];
    int64_t left = starts[row + 1] - starts[row];
    if (!left) return 0;
    for (; left > 1; left -= left / 2) at += at[left / 2 - 1] < item ? left / 2 : 0;
    return *at == item ? ((const float *)weights->weights.buf)[at - others] : 0;
}

/* Writes the items of the history that add most to each of the best ones into its row, the largest weight first.
   The weights of the whole history are taken from what is the `least` of each, below 0 if there is more. */
static void find_reasons(const Weights *weights, const int64_t *best, double *least, Py_ssize_t count, float *largest,
                         Py_ssize_t most) {
    const int64_t *chosen = weights->chosen.buf;
    for (Py_ssize_t i = 0; i < weights->history; i++)
        for (Py_ssize_t j = 0; j < count; j++) {
            const float weight = weight_of(weights, chosen[i], best[j]);
            least[j] -= weight;
            float *known = largest + j * most;
            int64_t *found = (int64_t *)weights->out.buf + j * most;
            Py_ssize_t at = most;
            for (; at > 0 && weight > known[at - 1]; at--)
                if (at < most) known[at] = known[at - 1], found[at] = found[at - 1];
            if (at < most) known[at] = weight, found[at] = chosen[i];
        }
}

static PyObject *reasons(PyObject *self, PyObject *arguments) {
    Weights weights = {0};
    Py_buffer best = {0}, least = {0};
    int failed = read_weights(&weights, arguments, &best, &least) < 0;
    const Py_ssize_t count = best.len / 8, most = count ? weights.out.len / 8 / count : 0;
    float *largest = failed ? NULL : calloc(count * most + 1, sizeof *largest);
    if (!failed && !largest) PyErr_NoMemory(), failed = 1;
    if (!failed && (least.readonly || least.len != best.len)) {
        PyErr_SetString(PyExc_ValueError, "there is not a least score for each item");
        failed = 1;
    }
    if (!failed) find_reasons(&weights, best.buf, least.buf, count, largest, most);
    free(largest);
    PyBuffer_Release(&least);
    PyBuffer_Release(&best);
    return free_weights(&weights, failed);
}

/* ---- The best of all scores: see `recommend.ranking.best_of`. ---- */

typedef struct {
    double score;
    int64_t place;
} Scored;

static inline int is_worse(Scored one, Scored other) {
    return one.score < other.score || (one.score == other.score && one.place > other.place);
}

/* Puts a score where it belongs in a heap below `at`. The first one of a heap is the worst. */
static void sink(Scored *heap, Py_ssize_t count, Py_ssize_t at, Scored own) {
    for (Py_ssize_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_worse(heap[child + 1], heap[child])) child++;
        if (!is_worse(heap[child], own)) break;
        heap[at] = heap[child];
    }
    heap[at] = own;
}

/* Writes the places of the best finite scores, best first, and returns how many there are. */
static Py_ssize_t find_best(const double *scores, Py_ssize_t count, Scored *heap, Py_ssize_t most, int64_t *places) {
    Py_ssize_t found = 0, at = 0;
    for (; at < count && found < most; at++)
        if (isfinite(scores[at])) heap[found++] = (Scored){scores[at], at};
    for (Py_ssize_t i = found / 2; i-- > 0;) sink(heap, found, i, heap[i]);
    for (; found && at < count; at++)
        if (scores[at] > heap[0].score && isfinite(scores[at])) sink(heap, found, 0, (Scored){scores[at], at});
    for (Py_ssize_t left = found; left-- > 0;) {
        places[left] = heap[0].place;
        sink(heap, left, 0, heap[left]);
    }
    return found;
}

static PyObject *best(PyObject *self, PyObject *arguments) {
    Py_buffer scores, places;
    if (!PyArg_ParseTuple(arguments, "y*w*", &scores, &places)) return NULL;
    const Py_ssize_t most = places.len / 8;
    Scored *heap = malloc((most + 1) * sizeof *heap);
    const Py_ssize_t found = heap ? find_best(scores.buf, scores.len / 8, heap, most, places.buf) : -1;
    free(heap);
    PyBuffer_Release(&scores);
    PyBuffer_Release(&places);
    return found < 0 ? PyErr_NoMemory() : PyLong_FromSsize_t(found);
}

static PyMethodDef METHODS[] = {
    {"prepare_tables", prepare_tables, METH_VARARGS, NULL},
    {"encode", encode, METH_VARARGS, NULL},
    {"prepare_forest", prepare_forest, METH_VARARGS, NULL},
    {"predict", predict, METH_VARARGS, NULL},
    {"add_weights", add_weights, METH_VARARGS, NULL},
    {"reasons", reasons, METH_VARARGS, NULL},
    {"best", best, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "kernel", NULL, -1, METHODS, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_kernel(void) { return PyModule_Create(&MODULE); }
