/* What Python sees: functions that take addresses, sizes and strides as integers, release the interpreter's lock and
   call a kernel. Nothing else in this folder knows of Python. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>

#include "bands.h"
#include "count.h"
#include "upsample.h"

/* A tensor as Python describes it: (address, kind, shape, strides), the strides in elements. */
struct tensor {
    long long address;
    int kind;
    PyObject *shape, *strides;
};

/* What follows the tensors: classes, items (0: one table for all), ignored, threads, launch, counts, errors. */
struct options {
    long long classes, items, launch, counts, errors;
    int threads;
    PyObject *ignored;
};

#define TENSORS "(LiO!O!)(LiO!O!)"
#define OPTIONS "LLO!iLLL"

static int64_t number_at(PyObject *tuple, Py_ssize_t index)
{
    PyObject *item = PyTuple_GetItem(tuple, index);
    return item ? PyLong_AsLongLong(item) : -1;
}

static int fail(const char *message)
{
    PyErr_SetString(PyExc_ValueError, message);
    return -1;
}

/* Read the loops over the pixels; axis 1 of scores is that of the classes. The target has the shape of the predictions
   but for that axis, or nothing is counted: outside of the tensors no address is ever read. */
static int read_axes(struct job *job, const struct tensor *preds, const struct tensor *target)
{
    int skipped = job->preds.source == SCORES;
    Py_ssize_t number = PyTuple_Size(target->shape);
    int64_t size = size_of(preds->kind), target_size = size_of(target->kind);
    if (PyTuple_Size(preds->shape) != number + skipped || PyTuple_Size(preds->strides) != number + skipped ||
        PyTuple_Size(target->strides) != number)
        return fail("preds and target must have axes that fit");
    for (Py_ssize_t i = 0; i < number; i++) {
        Py_ssize_t own = i + (i > 0) * skipped;
        struct axis axis = {number_at(target->shape, i), size * number_at(preds->strides, own),
                            target_size * number_at(target->strides, i)};
        if (axis.size != number_at(preds->shape, own))
            return fail("preds and target must have axes of one size");
        if ((axis.size != 1 || (i == 0 && job->table.items)) && job->axes.number < MOST_AXES)
            job->axes.axis[job->axes.number++] = axis;
    }
    if (job->table.items && job->table.items != job->axes.axis[0].size)
        return fail("there must be as many tables as items");
    if (skipped && number_at(preds->shape, 1) != job->preds.classes)
        return fail("preds must have a score for every class");
    job->preds.class_stride = skipped ? size * number_at(preds->strides, 1) : 0;
    nest(&job->axes, job->table.items > 0);
    return PyErr_Occurred() ? -1 : 0;
}

/* Read the ignored values into memory that the caller frees. */
static int64_t *read_ignored(struct table *table, PyObject *ignored)
{
    table->number_ignored = PyTuple_Size(ignored);
    int64_t *values = malloc(((size_t)table->number_ignored + 1) * sizeof *values);
    for (Py_ssize_t i = 0; values && i < table->number_ignored; i++)
        values[i] = number_at(ignored, i);
    return values;
}

/* Count `job`, of which the source and what only it needs are known. */
static PyObject *run(struct job *job, const struct tensor *preds, const struct tensor *target,
                     const struct options *options)
{
    struct table *table = &job->table;
    job->preds.address = (const char *)(intptr_t)preds->address;
    job->preds.kind = preds->kind;
    job->preds.classes = options->classes;
    job->target = (struct integers){(const char *)(intptr_t)target->address, target->kind, 0};
    job->launch = (uintptr_t)options->launch;
    table->counts = (int64_t *)(intptr_t)options->counts;
    table->errors = (int64_t *)(intptr_t)options->errors;
    table->items = options->items;
    table->threads = options->threads;
    if (read_axes(job, preds, target))
        return NULL;
    int64_t *ignored = read_ignored(table, options->ignored);
    if (!ignored)
        return PyErr_NoMemory();
    table->ignored = ignored;
    table->items = larger(1, table->items);
    int status = 0;
    if (!PyErr_Occurred()) {
        Py_BEGIN_ALLOW_THREADS
        status = count(job);
        Py_END_ALLOW_THREADS
    }
    free(ignored);
    if (status)
        return PyErr_NoMemory();
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

/* Parse the arguments that all functions take, and what `format` asks for behind them. */
#define PARSE(FORMAT, ...)                                                                                        \
    struct tensor preds, target;                                                                                  \
    struct options options;                                                                                       \
    (void)module;                                                                                                 \
    if (!PyArg_ParseTuple(args, TENSORS OPTIONS FORMAT, &preds.address, &preds.kind, &PyTuple_Type, &preds.shape,  \
                          &PyTuple_Type, &preds.strides, &target.address, &target.kind, &PyTuple_Type,            \
                          &target.shape, &PyTuple_Type, &target.strides, &options.classes, &options.items,        \
                          &PyTuple_Type, &options.ignored, &options.threads, &options.launch, &options.counts,    \
                          &options.errors, __VA_ARGS__))                                                          \
        return NULL;

/* Count into square tables. */
static PyObject *run_square(struct job *job, const struct tensor *preds, const struct tensor *target,
                            const struct options *options)
{
    job->table.rows = job->table.columns = options->classes + 1;
    job->table.void_column = 1;
    return run(job, preds, target, options);
}

static PyObject *labels(PyObject *module, PyObject *args)
{
    PARSE("", NULL)
    struct job job = {.preds.source = LABELS};
    return run_square(&job, &preds, &target, &options);
}

static PyObject *scores(PyObject *module, PyObject *args)
{
    PARSE("", NULL)
    struct job job = {.preds.source = SCORES};
    return run_square(&job, &preds, &target, &options);
}

static PyObject *binary(PyObject *module, PyObject *args)
{
    struct limits limits;
    PARSE("(ddd)", &limits.threshold, &limits.low, &limits.high)
    struct job job = {.preds = {.source = BINARY, .limits = limits}};
    return run_square(&job, &preds, &target, &options);
}

static PyObject *above(PyObject *module, PyObject *args)
{
    struct limits limits = {0, 0, 0};
    long long values, number;
    PARSE("(dd)LL", &limits.low, &limits.high, &values, &number)
    struct bounds bounds = bounds_of((const double *)(intptr_t)values, number);
    if (!bounds.below)
        return PyErr_NoMemory();
    struct job job = {.preds = {.source = ABOVE, .limits = limits, .bounds = bounds},
                      .table = {.rows = 3, .columns = number + 1}};
    PyObject *done = run(&job, &preds, &target, &options);
    free(bounds.below);
    return done;
}

/* Strides of a tensor of four axes, in bytes, into `steps`; 0 if its shape is `wanted`. */
static int read_steps(const struct tensor *tensor, const int64_t *wanted, int number, int64_t *steps)
{
    if (PyTuple_Size(tensor->shape) != number || PyTuple_Size(tensor->strides) != number)
        return fail("the tensors have too few or too many axes");
    for (int i = 0; i < number; i++) {
        if (wanted[i] != number_at(tensor->shape, i))
            return fail("the tensors have axes of other sizes");
        steps[i] = size_of(tensor->kind) * number_at(tensor->strides, i);
    }
    return PyErr_Occurred() ? -1 : 0;
}

/* Five addresses of a table of taps. */
static void read_taps(struct taps *taps, PyObject *addresses)
{
    taps->first = (const int32_t *)(intptr_t)number_at(addresses, 0);
    taps->second = (const int32_t *)(intptr_t)number_at(addresses, 1);
    taps->end = (const int32_t *)(intptr_t)number_at(addresses, 2);
    taps->weight = (const float *)(intptr_t)number_at(addresses, 3);
    taps->other = (const float *)(intptr_t)number_at(addresses, 4);
}

/* Count `resize`, of which the method and the taps are known. */
static PyObject *run_upsampled(struct resize *resize, const struct tensor *preds, const struct tensor *target,
                               const struct options *options)
{
    int64_t images = number_at(preds->shape, 0), steps[4], target_steps[3];
    int64_t source[] = {images, options->classes, number_at(preds->shape, 2), number_at(preds->shape, 3)};
    int64_t size[] = {images, number_at(target->shape, 1), number_at(target->shape, 2)};
    if (read_steps(preds, source, 4, steps) || read_steps(target, size, 3, target_steps))
        return NULL;
    if (options->items && options->items != images)
        return fail("there must be as many tables as items"), NULL;
    resize->scores = (const char *)(intptr_t)preds->address, resize->kind = preds->kind;
    resize->classes = options->classes, resize->columns = source[3];
    resize->image_step = steps[0], resize->class_step = steps[1], resize->row_step = steps[2], resize->step = steps[3];
    resize->target = (struct integers){(const char *)(intptr_t)target->address, target->kind, target_steps[2]};
    resize->target_image_step = target_steps[0], resize->target_row_step = target_steps[1];
    resize->images = images, resize->height = size[1], resize->width = size[2];
    resize->launch = (uintptr_t)options->launch;
    struct table *table = &resize->table;
    int64_t *ignored = read_ignored(table, options->ignored);
    if (!ignored)
        return PyErr_NoMemory();
    *table = (struct table){(int64_t *)(intptr_t)options->counts, (int64_t *)(intptr_t)options->errors,
                            larger(1, options->items), options->classes + 1, options->classes + 1, ignored,
                            table->number_ignored, options->threads, 1};
    int status = 0;
    Py_BEGIN_ALLOW_THREADS
    status = upsample(resize);
    Py_END_ALLOW_THREADS
    free(ignored);
    return status ? PyErr_NoMemory() : Py_NewRef(Py_None);
}

static PyObject *upsampled(PyObject *module, PyObject *args)
{
    struct resize resize = {0};
    PyObject *across, *down;
    int method;
    PARSE("iO!O!", &method, &PyTuple_Type, &across, &PyTuple_Type, &down)
    resize.method = method;
    read_taps(&resize.across, across);
    read_taps(&resize.down, down);
    return PyErr_Occurred() ? NULL : run_upsampled(&resize, &preds, &target, &options);
}

/* Takes the predictions; classes, the addresses of a table of 16-bit numbers or 0, how many labels that makes, the
   distance, the border, threads, launch, and the address of the result. */
static PyObject *mark_maps(PyObject *module, PyObject *args)
{
    struct tensor preds;
    long long classes, table, labels, distance, launch, marked;
    int border, threads, status;
    (void)module;
    if (!PyArg_ParseTuple(args, "(LiO!O!)LLLLiiLL", &preds.address, &preds.kind, &PyTuple_Type, &preds.shape,
                          &PyTuple_Type, &preds.strides, &classes, &table, &labels, &distance, &border, &threads,
                          &launch, &marked))
        return NULL;
    int64_t steps[3], size[] = {number_at(preds.shape, 0), number_at(preds.shape, 1), number_at(preds.shape, 2)};
    if (read_steps(&preds, size, 3, steps))
        return NULL;
    struct maps maps = {.preds = {.source = LABELS, .address = (const char *)(intptr_t)preds.address,
                                  .kind = preds.kind, .stride = steps[2], .classes = classes},
                        .image_step = steps[0], .row_step = steps[1], .images = size[0], .height = size[1],
                        .width = size[2], .table = (const uint16_t *)(intptr_t)table, .labels = labels,
                        .distance = smaller(distance, larger(size[1], size[2])), .border = border != 0,
                        .marked = (uint16_t *)(intptr_t)marked, .threads = threads, .launch = (uintptr_t)launch};
    Py_BEGIN_ALLOW_THREADS
    status = mark(&maps);
    Py_END_ALLOW_THREADS
    return status ? PyErr_NoMemory() : Py_NewRef(Py_None);
}

static PyMethodDef methods[] = {
    {"labels", labels, METH_VARARGS, "Count predicted labels."},
    {"scores", scores, METH_VARARGS, "Count the winning classes of scores."},
    {"binary", binary, METH_VARARGS, "Count scores of one class against a threshold."},
    {"above", above, METH_VARARGS, "Count scores of one class against many thresholds."},
    {"upsampled", upsampled, METH_VARARGS, "Count scores brought to the target's size."},
    {"mark", mark_maps, METH_VARARGS, "Mark interior pixels."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModule_Create(&definition);
}
