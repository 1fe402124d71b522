/* What Python sees: functions that take addresses, sizes and strides as integers, release the interpreter's lock and
   call a kernel. Nothing else in this folder knows of Python. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>

#include "count.h"

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

static PyMethodDef methods[] = {
    {"labels", labels, METH_VARARGS, "Count predicted labels."},
    {"scores", scores, METH_VARARGS, "Count the winning classes of scores."},
    {"binary", binary, METH_VARARGS, "Count scores of one class against a threshold."},
    {"above", above, METH_VARARGS, "Count scores of one class against many thresholds."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModule_Create(&definition);
}
