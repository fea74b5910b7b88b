// A program that refnn can ask, in Rust. Copy it, and put your own code in place of `evaluate`.
//     rustc -O refnn_target.rs && refnn check --command ./refnn_target
// The messages are described in README.md beside this file. No dependencies. (With serde_json, turn on its feature
// float_roundtrip: without it, it may read a number next to the nearest.)
use std::io::BufRead;
const CAPABILITIES: &str = concat!(
    r#""layers": ["dense", "identity", "tanh", "sigmoid", "relu"], "precisions": ["float64"], "#,
    r#""losses": ["squared_error", "inner_product", "softmax_cross_entropy"], "reductions": ["mean", "sum"]"#
);
type Rows = Vec<Vec<f64>>;
// ------------------------------------------------------------------------------------------------------------- JSON

enum Json { Word, Number(f64), Text(String), List(Vec<Json>), Object(Vec<(String, Json)>) } // Word: null, true, false
impl Json {
    fn get(&self, key: &str) -> &Json {
        let Json::Object(pairs) = self else { return &Json::Word };
        pairs.iter().find(|pair| pair.0 == key).map_or(&Json::Word, |pair| &pair.1)
    }
    fn list(&self) -> &[Json] { if let Json::List(values) = self { values } else { &[] } }
    fn text(&self) -> &str { if let Json::Text(text) = self { text } else { "" } }
    fn number(&self) -> f64 { if let Json::Number(number) = self { *number } else { f64::NAN } }
    fn numbers(&self) -> Vec<f64> { self.list().iter().map(Json::number).collect() }
    fn rows(&self) -> Rows { self.list().iter().map(Json::numbers).collect() }
}
fn peek(rest: &mut &str) -> char { // what comes next, after space
    *rest = rest.trim_start();
    rest.chars().next().expect("JSON ends too early")
}
fn take(rest: &mut &str, wanted: char) {
    assert_eq!(peek(rest), wanted, "this is not JSON");
    *rest = &rest[wanted.len_utf8()..];
}
fn string(rest: &mut &str) -> String {
    take(rest, '"');
    let (text, after) = rest.split_once('"').expect("a string does not end"); // no string of a question holds escapes
    *rest = after;
    text.to_string()
}
fn items<T>(rest: &mut &str, begin: char, end: char, item: impl Fn(&mut &str) -> T) -> Vec<T> {
    let mut found = vec![];
    take(rest, begin);
    while peek(rest) != end {
        found.push(item(rest));
        if peek(rest) != end { take(rest, ',') }
    }
    take(rest, end);
    found
}
fn value(rest: &mut &str) -> Json {
    match peek(rest) {
        '"' => Json::Text(string(rest)),
        '[' => Json::List(items(rest, '[', ']', value)),
        '{' => Json::Object(items(rest, '{', '}', |rest| (string(rest), { take(rest, ':'); value(rest) }))),
        _ => {
            let (word, after) = rest.split_at(rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(rest.len()));
            *rest = after;
            if ["true", "false", "null"].contains(&word) { Json::Word } else { Json::Number(word.parse().expect(word)) }
        }
    }
}
fn shown(v: f64) -> String { // the shortest digits that are read as v; JSON lacks numbers that are not finite
    if v.is_nan() { "\"nan\"".into() } else if v.is_finite() { format!("{v:?}") } else { format!("\"{v}\"") }
}
fn list(values: &[f64]) -> String { format!("[{}]", values.iter().map(|v| shown(*v)).collect::<Vec<_>>().join(", ")) }
fn rows(values: &Rows) -> String { format!("[{}]", values.iter().map(|v| list(v)).collect::<Vec<_>>().join(", ")) }
// ------------------------------------------------------------------------------------------------------ the network
fn sigmoid(z: f64) -> f64 { if z < 0.0 { z.exp() / (1.0 + z.exp()) } else { 1.0 / (1.0 + (-z).exp()) } }
fn activation(kind: &str, z: f64) -> (f64, f64) { // and its derivative
    match kind {
        "tanh" => (z.tanh(), 1.0 / z.cosh() / z.cosh()),
        "sigmoid" => (sigmoid(z), sigmoid(z) * sigmoid(-z)),
        "relu" => if z > 0.0 { (z, 1.0) } else { (0.0, 0.0) },
        _ => (z, 1.0),
    }
}
fn sample_loss(loss: &Json, z: &[f64], y: &Json) -> (f64, Vec<f64>) { // and its gradient in z
    let t = y.numbers();
    match loss.get("kind").text() {
        "softmax_cross_entropy" => {
            let (v, smoothing) = (loss.get("class_weights").numbers(), loss.get("label_smoothing").number());
            let hot = |j| if j as f64 == y.number() { 1.0 - smoothing } else { 0.0 };
            let share = |j| v.get(j).unwrap_or(&1.0) * (hot(j) + smoothing / z.len() as f64);
            let q: Vec<f64> = (0..z.len()).map(share).collect(); // of each class in the target
            let top = (0..z.len()).fold(0, |top, j| if z[j] > z[top] { j } else { top });
            let powers: Vec<f64> = z.iter().map(|v| (v - z[top]).exp()).collect();
            let others: f64 = (0..z.len()).filter(|j| *j != top).map(|j| powers[j]).sum();
            let total = (0..z.len()).map(|j| q[j] * (z[top] - z[j] + others.ln_1p())).sum();
            let all: f64 = q.iter().sum();
            (total, (0..z.len()).map(|j| powers[j] / (1.0 + others) * all - q[j]).collect())
        }
        "squared_error" => {
            let r: Vec<f64> = z.iter().zip(&t).map(|(z, y)| z - y).collect();
            (r.iter().map(|r| r / 2.0 * r).sum(), r)
        }
        _ => (z.iter().zip(&t).map(|(z, y)| z * y).sum(), t),
    }
}
fn evaluate(question: &Json) -> String {
    let (loss, layers, y) = (question.get("loss"), question.get("layers").list(), question.get("y").list());
    if loss.get("kind").text() == "softmax_cross_entropy" && !y[0].list().is_empty() {
        return r#""unsupported": "rows of probabilities""#.into();
    }
    let w = question.get("parameters").numbers();
    let mut given = vec![question.get("x").rows()]; // what each layer is given, and at last the outputs
    let mut at = 0; // where the parameters of a layer begin: weights (inputs, outputs) row by row, then the bias
    for layer in layers {
        let (kind, x) = (layer.get("kind").text(), given.last().unwrap());
        let (n, m) = (x[0].len(), layer.get("outputs").number() as usize);
        let sum = |row: &[f64], j| (0..n).fold(w[at + n * m + j], |sum, i| sum + row[i] * w[at + i * m + j]);
        let dense = |row: &Vec<f64>| (0..m).map(|j| sum(row, j)).collect();
        let other = |row: &Vec<f64>| row.iter().map(|z| activation(kind, *z).0).collect();
        let next = if kind == "dense" { x.iter().map(dense).collect() } else { x.iter().map(other).collect() };
        if kind == "dense" { at += (n + 1) * m }
        given.push(next);
    }
    let outputs = given.pop().unwrap();
    let scale = match loss.get("scale").list() { [] => loss.get("scale").number(), f => f[0].number() / f[1].number() };
    let divisor = if loss.get("reduction").text() == "mean" { outputs.len() as f64 } else { 1.0 };
    let samples: Vec<_> = outputs.iter().zip(y).map(|(z, y)| sample_loss(loss, z, y)).collect();
    let total = scale * samples.iter().map(|sample| sample.0).sum::<f64>() / divisor;
    let mut delta: Rows = samples.iter().map(|s| s.1.iter().map(|d| scale * d / divisor).collect()).collect();
    let mut gradient = vec![0.0; w.len()];
    for (layer, x) in layers.iter().zip(&given).rev() {
        let (kind, n, m) = (layer.get("kind").text(), x[0].len(), delta[0].len());
        let mut before = vec![vec![0.0; n]; x.len()];
        if kind == "dense" { at -= (n + 1) * m }
        for (i, j) in (0..x.len()).flat_map(|i| (0..m).map(move |j| (i, j))) {
            let d = delta[i][j];
            if kind != "dense" { before[i][j] = d * activation(kind, x[i][j]).1; continue }
            for k in 0..n { before[i][k] += d * w[at + k * m + j] }
            for k in 0..n { gradient[at + k * m + j] += d * x[i][k] }
            gradient[at + n * m + j] += d;
        }
        delta = before;
    }
    let (outputs, total, gradient, delta) = (rows(&outputs), shown(total), list(&gradient), rows(&delta));
    format!(r#""outputs": {outputs}, "loss": {total}, "gradient": {gradient}, "input_gradient": {delta}"#)
}
fn main() {
    for line in std::io::stdin().lock().lines() {
        let question = value(&mut line.expect("a line").as_str());
        let reply = match question.get("ask").text() {
            "capabilities" => CAPABILITIES.to_string(),
            "echo" => format!("\"numbers\": {}", list(&question.get("numbers").numbers())),
            "evaluate" => evaluate(&question),
            other => format!("\"unsupported\": \"{other}\""),
        };
        println!("{{\"id\": {}, {reply}}}", question.get("id").number()); // println flushes at the end of a line
    }
}
