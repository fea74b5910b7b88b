// A program that refnn can ask, in JavaScript. Copy it, and put your own code in place of `evaluate`.
//
//     refnn check --command "node refnn_target.js"
//
// The messages are described in README.md beside this file. Without dependencies, for Node 16 or newer.

"use strict";
const readline = require("node:readline");

const CAPABILITIES = {
  layers: ["dense", "identity", "tanh", "sigmoid", "relu"],
  losses: ["squared_error", "inner_product", "softmax_cross_entropy"],
  precisions: ["float64"],
  reductions: ["mean", "sum"],
};

class Unsupported extends Error {}

// ------------------------------------------------------------------------------------------ the network

function sigmoid(z) {
  const e = Math.exp(-Math.abs(z)); // at most 1: nothing overflows
  return z < 0 ? e / (1 + e) : 1 / (1 + e);
}

// Each activation, and its derivative.
const ACTIVATIONS = {
  identity: [(z) => z, () => 1],
  tanh: [Math.tanh, (z) => 1 / Math.cosh(z) / Math.cosh(z)],
  sigmoid: [sigmoid, (z) => sigmoid(z) * sigmoid(-z)],
  relu: [(z) => (z > 0 ? z : 0), (z) => (z > 0 ? 1 : 0)],
};

// Each loss of one sample, and its gradient in z.
const LOSSES = {
  squared_error(z, y) {
    const r = z.map((value, j) => value - y[j]);
    return [r.reduce((sum, value) => sum + (value / 2) * value, 0), r];
  },
  inner_product(z, y) {
    return [z.reduce((sum, value, j) => sum + value * y[j], 0), y];
  },
  softmax_cross_entropy(z, q) {
    const top = z.indexOf(Math.max(...z));
    const powers = z.map((value) => Math.exp(value - z[top]));
    const others = powers.reduce((sum, value, j) => (j === top ? sum : sum + value), 0);
    const all = q.reduce((sum, share) => sum + share, 0);
    const loss = q.reduce((sum, share, j) => sum + share * (z[top] - z[j] + Math.log1p(others)), 0);
    return [loss, powers.map((value, j) => (value / (1 + others)) * all - q[j])];
  },
};

// The share of each class in a target.
function shares({ label_smoothing: smoothing, class_weights: weights }, label, classes) {
  const share = (j) => (1 - smoothing) * (j === label ? 1 : 0) + smoothing / classes;
  return Array.from({ length: classes }, (_, j) => (weights ? weights[j] : 1) * share(j));
}

// Weights row-major (inputs, outputs), then the bias; x and delta are rows.
function denseForward({ inputs, outputs }, w, x) {
  return x.map((row) =>
    Array.from({ length: outputs }, (_, j) =>
      row.reduce((sum, value, i) => sum + value * w[i * outputs + j], w[inputs * outputs + j])));
}

function denseBackward({ inputs, outputs }, w, x, delta, gradient) {
  x.forEach((row, n) => {
    for (let j = 0; j < outputs; j++) {
      for (let i = 0; i < inputs; i++) gradient[i * outputs + j] += row[i] * delta[n][j];
      gradient[inputs * outputs + j] += delta[n][j];
    }
  });
  return delta.map((row) =>
    Array.from({ length: inputs }, (_, i) => row.reduce((sum, value, j) => sum + value * w[i * outputs + j], 0)));
}

function evaluate({ layers, loss, parameters, x, y }) {
  const classes = loss.kind === "softmax_cross_entropy";
  if (classes && Array.isArray(y[0])) throw new Unsupported("rows of probabilities");

  const given = [x]; // what each layer was given, and at last the outputs
  const weights = [];
  let begin = 0;
  for (const layer of layers) {
    const input = given[given.length - 1];
    const size = layer.kind === "dense" ? (layer.inputs + 1) * layer.outputs : 0;
    const w = parameters.slice(begin, begin + size);
    begin += size;
    weights.push(w);
    const activation = layer.kind === "dense" ? null : ACTIVATIONS[layer.kind][0];
    given.push(activation ? input.map((row) => row.map(activation)) : denseForward(layer, w, input));
  }
  const outputs = given[given.length - 1];

  const scale = Array.isArray(loss.scale) ? loss.scale[0] / loss.scale[1] : loss.scale;
  const divisor = loss.reduction === "mean" ? x.length : 1;
  const samples = outputs.map((row, n) => LOSSES[loss.kind](row, classes ? shares(loss, y[n], row.length) : y[n]));
  const total = (scale * samples.reduce((sum, [value]) => sum + value, 0)) / divisor;

  let delta = samples.map(([, slopes]) => slopes.map((value) => (scale * value) / divisor));
  let gradient = [];
  for (let k = layers.length - 1; k >= 0; k--) {
    const input = given[k];
    if (layers[k].kind === "dense") {
      const mine = new Array(weights[k].length).fill(0);
      delta = denseBackward(layers[k], weights[k], input, delta, mine);
      gradient = mine.concat(gradient);
    } else {
      const derivative = ACTIVATIONS[layers[k].kind][1];
      delta = delta.map((row, n) => row.map((value, j) => value * derivative(input[n][j])));
    }
  }
  return { outputs, loss: total, gradient, input_gradient: delta };
}

// ---------------------------------------------------------------------------------------- the messages

function answer(question) {
  switch (question.ask) {
    case "capabilities":
      return CAPABILITIES;
    case "echo":
      return { numbers: question.numbers };
    case "evaluate":
      return evaluate(question);
    default:
      throw new Unsupported(question.ask);
  }
}

// JSON lacks numbers that are not finite: they are sent as text.
function text(key, value) {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const question = JSON.parse(line);
  let reply;
  try {
    reply = answer(question);
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    reply = { unsupported: error.message };
  }
  process.stdout.write(JSON.stringify({ id: question.id, ...reply }, text) + "\n");
});
