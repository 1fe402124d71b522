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
#define TENSOR "(LiO!O!)"
#define TENSOR_OF(X) &(X).address, &(X).kind, &PyTuple_Type, &(X).shape, &PyTuple_Type, &(X).strides

/* What every count is given; `more` is what only some kernels take. */
struct call {
    struct tensor preds, target;
    long long classes, items, launch, counts, errors; /* items 0: one table for all */
    int threads;
    PyObject *ignored, *more;
};

static int parse(PyObject *args, struct call *call)
{
    return PyArg_ParseTuple(args, TENSOR TENSOR "LLO!iLLLO!", TENSOR_OF(call->preds), TENSOR_OF(call->target),
                            &call->classes, &call->items, &PyTuple_Type, &call->ignored, &call->threads, &call->launch,
                            &call->counts, &call->errors, &PyTuple_Type, &call->more);
}

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

static const void *memory_at(long long address) { return (const void *)(intptr_t)address; }

/* Describe the table of a call, with ignored values in memory that the caller frees. */
static int read_table(struct table *table, const struct call *call, int64_t rows, int64_t columns)
{
    int64_t number = PyTuple_Size(call->ignored), *ignored = malloc(((size_t)number + 1) * sizeof *ignored);
    if (!ignored)
        return PyErr_NoMemory(), -1;
    for (Py_ssize_t i = 0; i < number; i++)
        ignored[i] = number_at(call->ignored, i);
    *table = (struct table){(int64_t *)memory_at(call->counts), (int64_t *)memory_at(call->errors),
                            larger(1, call->items), rows, columns, ignored, number, call->threads, rows == columns};
    return 0;
}

static PyObject *done(int status)
{
    return status ? PyErr_NoMemory() : PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

/* Read the loops over the pixels; axis 1 of scores is that of the classes. The target must have the shape of the
   predictions but for that axis: no address outside of the tensors is ever read. */
static int read_axes(struct job *job, const struct call *call)
{
    const struct tensor *preds = &call->preds, *target = &call->target;
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
        if (axis.size != number_at(preds->shape, own) || axis.size < 1)
            return fail("preds and target must have axes of one size");
        if ((axis.size != 1 || (i == 0 && call->items)) && job->axes.number < MOST_AXES)
            job->axes.axis[job->axes.number++] = axis;
    }
    if (call->items && (!number || call->items != job->axes.axis[0].size))
        return fail("there must be as many tables as items");
    if (skipped && (!number || number_at(preds->shape, 1) != call->classes))
        return fail("preds must have a score for every class");
    job->preds.class_stride = skipped ? size * number_at(preds->strides, 1) : 0;
    nest(&job->axes, call->items > 0);
    return PyErr_Occurred() ? -1 : 0;
}

/* Count predictions of the target's size. */
static PyObject *run(enum source source, PyObject *args)
{
    struct call call;
    struct job job = {.preds.source = source};
    struct limits *limits = &job.preds.limits;
    long long bounds = 0, number = 0;
    if (!parse(args, &call) || read_axes(&job, &call) ||
        (source == BINARY && !PyArg_ParseTuple(call.more, "ddd", &limits->threshold, &limits->low, &limits->high)) ||
        (source == ABOVE && !PyArg_ParseTuple(call.more, "ddLL", &limits->low, &limits->high, &bounds, &number)))
        return NULL;
    job.preds.address = memory_at(call.preds.address), job.preds.kind = call.preds.kind;
    job.preds.classes = call.classes;
    job.target = (struct integers){memory_at(call.target.address), call.target.kind, 0};
    job.launch = (uintptr_t)call.launch;
    if (read_table(&job.table, &call, call.classes + 1, source == ABOVE ? number + 1 : call.classes + 1))
        return NULL;
    job.table.void_column = source != ABOVE;
    if (source == ABOVE)
        job.preds.bounds = bounds_of(memory_at(bounds), number);
    int status = source == ABOVE && !job.preds.bounds.below;
    Py_BEGIN_ALLOW_THREADS
    status = status || count(&job);
    Py_END_ALLOW_THREADS
    free((void *)job.table.ignored);
    free(job.preds.bounds.below);
    return done(status);
}

static PyObject *labels(PyObject *module, PyObject *args) { return (void)module, run(LABELS, args); }
static PyObject *scores(PyObject *module, PyObject *args) { return (void)module, run(SCORES, args); }
static PyObject *binary(PyObject *module, PyObject *args) { return (void)module, run(BINARY, args); }
static PyObject *above(PyObject *module, PyObject *args) { return (void)module, run(ABOVE, args); }

/* Strides of a tensor in bytes, if its shape is `wanted`; returns 0, or -1 if not. */
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
static struct taps read_taps(PyObject *addresses)
{
    const void *table[5];
    for (int i = 0; i < 5; i++)
        table[i] = memory_at(number_at(addresses, i));
    return (struct taps){table[0], table[1], table[2], table[3], table[4]};
}

/* Takes the method and the taps of columns and rows. */
static PyObject *upsampled(PyObject *module, PyObject *args)
{
    struct call call;
    struct resize resize = {0};
    PyObject *across, *down;
    int method, status;
    (void)module;
    if (!parse(args, &call) ||
        !PyArg_ParseTuple(call.more, "iO!O!", &method, &PyTuple_Type, &across, &PyTuple_Type, &down))
        return NULL;
    PyObject *from = call.preds.shape, *to = call.target.shape;
    int64_t images = number_at(from, 0), steps[4], target_steps[3];
    int64_t source[] = {images, call.classes, number_at(from, 2), number_at(from, 3)};
    int64_t size[] = {images, number_at(to, 1), number_at(to, 2)};
    resize.method = method, resize.across = read_taps(across), resize.down = read_taps(down);
    if (read_steps(&call.preds, source, 4, steps) || read_steps(&call.target, size, 3, target_steps))
        return NULL;
    if (call.items && call.items != images)
        return fail("there must be as many tables as items"), NULL;
    resize.scores = memory_at(call.preds.address), resize.kind = call.preds.kind;
    resize.classes = call.classes, resize.columns = source[3];
    resize.image_step = steps[0], resize.class_step = steps[1], resize.row_step = steps[2], resize.step = steps[3];
    resize.target = (struct integers){memory_at(call.target.address), call.target.kind, target_steps[2]};
    resize.target_image_step = target_steps[0], resize.target_row_step = target_steps[1];
    resize.images = images, resize.height = size[1], resize.width = size[2];
    resize.launch = (uintptr_t)call.launch;
    if (read_table(&resize.table, &call, call.classes + 1, call.classes + 1))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = upsample(&resize);
    Py_END_ALLOW_THREADS
    free((void *)resize.table.ignored);
    return done(status);
}

/* Takes the predictions and what they are; classes; the limits; the addresses of a table of 16-bit numbers or 0, how
   many labels that makes, the distance, the border, threads, launch, and the address of the result. */
static PyObject *mark_maps(PyObject *module, PyObject *args)
{
    struct tensor preds;
    struct maps maps = {0};
    struct limits *limits = &maps.preds.limits;
    long long classes, table, labels, distance, launch, marked;
    int source, status;
    (void)module;
    if (!PyArg_ParseTuple(args, TENSOR "iL(ddd)LLLiiLL", TENSOR_OF(preds), &source, &classes, &limits->threshold, &limits->low, &limits->high,
                          &table, &labels, &distance, &maps.border, &maps.threads, &launch, &marked))
        return NULL;
    int last = source == SCORES ? 2 : 1; /* the axis of rows */
    int64_t steps[4], size[] = {number_at(preds.shape, 0), classes, number_at(preds.shape, last), 0};
    size[last + 1] = number_at(preds.shape, last + 1);
    size[last] = number_at(preds.shape, last);
    if (read_steps(&preds, size, last + 2, steps))
        return NULL;
    maps.preds.source = source, maps.preds.address = memory_at(preds.address), maps.preds.kind = preds.kind;
    maps.preds.classes = classes, maps.preds.class_stride = steps[1], maps.preds.stride = steps[last + 1];
    maps.image_step = steps[0], maps.row_step = steps[last];
    maps.images = size[0], maps.height = size[last], maps.width = size[last + 1];
    maps.table = memory_at(table), maps.labels = labels;
    maps.distance = smaller(distance, larger(maps.height, maps.width));
    maps.marked = (uint16_t *)memory_at(marked), maps.launch = (uintptr_t)launch;
    Py_BEGIN_ALLOW_THREADS
    status = mark(&maps);
    Py_END_ALLOW_THREADS
    return done(status);
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

PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&definition); }
