/* A program that refnn can ask, in C11: copy it, and put your own code in place of `evaluate`.
 *     cc -std=c11 -O2 -o refnn_target refnn_target.c -lm && refnn check --command ./refnn_target
 * The messages are described in README.md beside this file. No dependencies; the locale stays "C". */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define CAPABILITIES ", \"layers\": [\"dense\", \"identity\", \"tanh\", \"sigmoid\", \"relu\"], " \
    "\"losses\": [\"squared_error\", \"inner_product\", \"softmax_cross_entropy\"], " \
    "\"precisions\": [\"float64\"], \"reductions\": [\"mean\", \"sum\"]"
#define SPACE " \t\r\n"
enum { MOST_LAYERS = 64, MOST_NUMBERS = 1 << 23 };
static char line[1 << 24];
static double pool[MOST_NUMBERS], *unused; /* the numbers of one question */
static void need(int good, const char *why) { /* the one who asks shows stderr and the exit status */
    if (!good) fprintf(stderr, "refnn_target: %s\n", why), exit(1);
}
static double *zeros(size_t n) {
    need(n <= (size_t)(pool + MOST_NUMBERS - unused), "too many numbers");
    return memset((unused += n) - n, 0, n * sizeof(double));
}
/* ------------------------------------------------------------- JSON: a value is a pointer to its first character */
static const char *next(const char *p);
static const char *space(const char *p) { return p + strspn(p, SPACE); }
static const char *skip(const char *p) { /* to what follows a value and the space after it */
    char end = *p == '{' ? '}' : *p == '[' ? ']' : *p == '"' ? '"' : '\0';
    size_t length = end ? 1 : strspn(p, "+-.0123456789abcdefghijklmnopqrstuvwxyzE"); /* a number, true, false or null */
    need(length > 0, "this is not JSON");
    if (end == '"') for (p++; *p != '"'; p++) need(*p && (*p != '\\' || *++p), "a string does not end");
    else if (end) for (p = space(p + 1); *p != end;) p = next(p);
    return space(p + length);
}
static const char *next(const char *p) { /* from an element, or a key and its value, to what follows in the list */
    if (*(p = skip(p)) == ':') p = skip(space(p + 1));
    need(*p == ',' || *p == ']' || *p == '}', "a list or an object does not end");
    return *p == ',' ? space(p + 1) : p;
}
static int is(const char *p, const char *text) { /* whether a value is this string */
    return *p == '"' && strncmp(p + 1, text, strlen(text)) == 0 && p[strlen(text) + 1] == '"';
}
static const char *get(const char *object, const char *key) { /* the value of a key; "null" if it is not there */
    need(*object == '{', "an object is expected");
    for (const char *p = space(object + 1); *p != '}'; p = next(p)) if (is(p, key)) return space(skip(p) + 1);
    return "null";
}
static double *numbers(const char *p) { /* all that a list and its lists hold; they end at `unused` */
    double *first = unused;
    for (char *after, *end = (char *)skip(p); (p += strspn(p, "[]," SPACE)) < end; p = after) {
        *zeros(1) = strtod(p, &after);
        need(after > p, "a number is expected");
    }
    return first;
}
static void print(const char *name, const char *begin, const double *v, size_t n, size_t width, const char *end) {
    printf(", \"%s\": %s", name, begin);
    for (size_t i = 0; i < n; i++) {
        const char *text = isfinite(v[i]) ? "%.17g" : isnan(v[i]) ? "\"nan\"" : v[i] > 0 ? "\"inf\"" : "\"-inf\"";
        printf(i == 0 ? "" : i % width == 0 ? "], [" : ", "), printf(text, v[i]); /* JSON has finite numbers only */
    }
    fputs(end, stdout);
}
/* ---------------------------------------------------------------------------------------------------- the network */
static double sigmoid(double z) { return z < 0 ? exp(z) / (1 + exp(z)) : 1 / (1 + exp(-z)); }
static double activation(const char *kind, double z, int slope) { /* f(z), or its derivative */
    if (is(kind, "tanh")) return slope ? 1 / cosh(z) / cosh(z) : tanh(z);
    if (is(kind, "sigmoid")) return slope ? sigmoid(z) * sigmoid(-z) : sigmoid(z);
    if (is(kind, "relu")) return z > 0 ? slope ? 1 : z : 0;
    return slope ? 1 : z;
}
static double sample_loss(const char *kind, const double *z, const double *y, size_t n, double *slope) {
    double sum = 0, all = 0, total = 0;
    if (is(kind, "softmax_cross_entropy")) { /* y are the shares of the classes */
        size_t top = 0;
        for (size_t j = 1; j < n; j++) if (z[j] > z[top]) top = j;
        for (size_t j = 0; j < n; j++) if (j != top) sum += exp(z[j] - z[top]);
        for (size_t j = 0; j < n; j++) all += y[j], total += y[j] * (z[top] - z[j] + log1p(sum));
        for (size_t j = 0; j < n; j++) slope[j] = exp(z[j] - z[top]) / (1 + sum) * all - y[j];
        return total;
    }
    for (size_t j = 0; j < n; j++) {
        slope[j] = is(kind, "squared_error") ? z[j] - y[j] : y[j];
        sum += is(kind, "squared_error") ? slope[j] / 2 * slope[j] : z[j] * y[j];
    }
    return sum;
}
static void evaluate(const char *question) {
    const char *loss = get(question, "loss"), *kind = get(loss, "kind"), *targets = get(question, "y");
    int classes = is(kind, "softmax_cross_entropy");
    if (classes && *space(targets + 1) == '[') { fputs(", \"unsupported\": \"probabilities\"", stdout); return; }
    size_t N = 0, K = 0, width[MOST_LAYERS + 1];
    double *w = numbers(get(question, "parameters")), *w_end = unused, *gradient = zeros((size_t)(w_end - w));
    double *g = unused, *x = numbers(get(question, "x")), *z[MOST_LAYERS + 1] = {x}; /* layer k is given z[k] */
    width[0] = (size_t)(unused - x);
    double *y = numbers(targets), *v = *get(loss, "class_weights") == '[' ? numbers(get(loss, "class_weights")) : NULL;
    double *scale = numbers(get(loss, "scale")), smoothing = strtod(get(loss, "label_smoothing"), NULL), total = 0;
    if (unused - scale == 2) scale[0] /= scale[1]; /* a fraction */
    for (const char *p = space(get(question, "x") + 1); *p == '['; p = next(p)) N++;
    width[0] /= N;
    const char *layer[MOST_LAYERS], *p = space(get(question, "layers") + 1);
    for (; *p == '{'; p = next(p), K++) { /* forward */
        need(K < MOST_LAYERS, "too many layers");
        size_t dense = is(layer[K] = get(p, "kind"), "dense"), n = width[K];
        size_t m = width[K + 1] = dense ? strtoul(get(p, "outputs"), NULL, 10) : n;
        z[K + 1] = zeros(N * m);
        for (size_t i = 0; i < N; i++) for (size_t j = 0; j < m; j++) {
            double sum = dense ? w[n * m + j] : activation(layer[K], z[K][i * n + j], 0);
            for (size_t k = 0; dense && k < n; k++) sum += z[K][i * n + k] * w[k * m + j];
            z[K + 1][i * m + j] = sum;
        }
        if (dense) w += (n + 1) * m;
    }
    size_t C = width[K];
    double *q = classes ? zeros(N * C) : y;
    for (size_t k = 0; classes && k < N * C; k++) /* of class k % C, in the target of sample k / C */
        q[k] = (v ? v[k % C] : 1) * ((1 - smoothing) * (y[k / C] == (double)(k % C)) + smoothing / (double)C);
    double divisor = is(get(loss, "reduction"), "mean") ? (double)N : 1, *delta = zeros(N * C); /* that of z[k + 1] */
    for (size_t i = 0; i < N; i++) total += sample_loss(kind, z[K] + i * C, q + i * C, C, delta + i * C);
    for (size_t i = 0; i < N * C; i++) delta[i] = scale[0] * delta[i] / divisor;
    for (size_t k = K; k-- > 0;) { /* backward */
        size_t n = width[k], m = width[k + 1], dense = is(layer[k], "dense"), size = dense ? (n + 1) * m : 0;
        double *before = zeros(N * n);
        w -= size, g -= size;
        for (size_t i = 0; i < N; i++) for (size_t j = 0; j < m; j++) {
            double d = delta[i * m + j];
            if (!dense) before[i * n + j] = d * activation(layer[k], z[k][i * n + j], 1);
            else g[n * m + j] += d;
            for (size_t l = 0; dense && l < n; l++)
                before[i * n + l] += d * w[l * m + j], g[l * m + j] += d * z[k][i * n + l];
        }
        delta = before;
    }
    total = scale[0] * total / divisor;
    print("outputs", "[[", z[K], N * C, C, "]]");
    print("loss", "", &total, 1, 1, "");
    print("gradient", "[", gradient, (size_t)(w_end - w), MOST_NUMBERS, "]");
    print("input_gradient", "[[", delta, N * width[0], width[0], "]]");
}
int main(void) {
    while (unused = pool, fgets(line, sizeof line, stdin)) {
        const char *question = space(line), *id = get(question, "id"), *ask = get(question, "ask");
        printf("{\"id\": %ld", strtol(id, NULL, 10));
        if (is(ask, "capabilities")) fputs(CAPABILITIES, stdout);
        else if (is(ask, "echo"))
            numbers(get(question, "numbers")), print("numbers", "[", pool, (size_t)(unused - pool), MOST_NUMBERS, "]");
        else if (is(ask, "evaluate")) evaluate(question);
        else printf(", \"unsupported\": %.*s", (int)(skip(ask) - ask), ask);
        puts("}"), fflush(stdout);
    }
}
