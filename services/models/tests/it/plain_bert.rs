//! BERT once more, as its paper has it: number by number, one text at a time, and slow. What is fast must give the same.

use super::tiny::{HEADS, HIDDEN, LAYERS, Tensor, Tensors};

type Rows = Vec<Vec<f64>>;

/// Returns the vectors of all tokens of a text.
pub(crate) fn tokens_of(tensors: &Tensors, text: &[usize]) -> Rows {
    let row = |name: &str, row: usize| -> Vec<f64> {
        let tensor = &tensors[name];
        let wide = tensor.shape[1];
        tensor.numbers[row * wide..(row + 1) * wide].iter().map(|number| f64::from(*number)).collect()
    };
    let embedded = text.iter().enumerate().map(|(place, word)| {
        let parts = [
            row("embeddings.word_embeddings.weight", *word),
            row("embeddings.position_embeddings.weight", place),
            row("embeddings.token_type_embeddings.weight", 0),
        ];
        (0..HIDDEN).map(|i| parts.iter().map(|part| part[i]).sum()).collect()
    });
    let mut x = norm(tensors, "embeddings.LayerNorm", embedded.collect());
    for layer in 0..LAYERS {
        let at = format!("encoder.layer.{layer}");
        let heard = attention(tensors, &format!("{at}.attention.self"), &x);
        let heard = linear(tensors, &format!("{at}.attention.output.dense"), &heard);
        x = norm(tensors, &format!("{at}.attention.output.LayerNorm"), sum(&heard, &x));
        let mut wide = linear(tensors, &format!("{at}.intermediate.dense"), &x);
        for number in wide.iter_mut().flatten() {
            *number *= 0.5 * (1.0 + erf(*number / 2.0_f64.sqrt()));
        }
        let narrow = linear(tensors, &format!("{at}.output.dense"), &wide);
        x = norm(tensors, &format!("{at}.output.LayerNorm"), sum(&narrow, &x));
    }
    x
}

/// Returns the mean of all tokens' vectors, brought to length 1.
pub(crate) fn mean(rows: &Rows) -> Vec<f64> {
    unit((0..HIDDEN).map(|i| rows.iter().map(|row| row[i]).sum()).collect())
}

pub(crate) fn unit(vector: Vec<f64>) -> Vec<f64> {
    let length = vector.iter().map(|number| number * number).sum::<f64>().sqrt();
    vector.into_iter().map(|number| number / length).collect()
}

fn attention(tensors: &Tensors, at: &str, x: &Rows) -> Rows {
    let [query, key, value] =
        ["query", "key", "value"].map(|part| linear(tensors, &format!("{at}.{part}"), x));
    let wide = HIDDEN / HEADS;
    let mut heard = vec![vec![0.0; HIDDEN]; x.len()];
    for head in 0..HEADS {
        let of_head = head * wide..(head + 1) * wide;
        for (asks, heard) in query.iter().zip(&mut heard) {
            let scores = key.iter().map(|answers| {
                let product: f64 = of_head.clone().map(|i| asks[i] * answers[i]).sum();
                (product / f64::from(u32::try_from(wide).unwrap()).sqrt()).exp()
            });
            let scores: Vec<f64> = scores.collect();
            let all: f64 = scores.iter().sum();
            for (score, says) in scores.iter().zip(&value) {
                for i in of_head.clone() {
                    heard[i] += score / all * says[i];
                }
            }
        }
    }
    heard
}

fn numbers(tensor: &Tensor) -> impl Iterator<Item = f64> {
    tensor.numbers.iter().map(|number| f64::from(*number))
}

fn linear(tensors: &Tensors, at: &str, x: &Rows) -> Rows {
    let weight = &tensors[&format!("{at}.weight")];
    let bias: Vec<f64> = numbers(&tensors[&format!("{at}.bias")]).collect();
    let outputs = |row: &Vec<f64>| {
        let of_output = weight.numbers.chunks(weight.shape[1]).zip(&bias);
        let output = |(weights, bias): (&[f32], &f64)| {
            weights.iter().zip(row).map(|(weight, number)| f64::from(*weight) * number).sum::<f64>() + bias
        };
        of_output.map(output).collect()
    };
    x.iter().map(outputs).collect()
}

fn norm(tensors: &Tensors, at: &str, x: Rows) -> Rows {
    let scale: Vec<f64> = numbers(&tensors[&format!("{at}.weight")]).collect();
    let shift: Vec<f64> = numbers(&tensors[&format!("{at}.bias")]).collect();
    let count = f64::from(u32::try_from(HIDDEN).unwrap());
    let normed = |row: Vec<f64>| {
        let mean = row.iter().sum::<f64>() / count;
        let spread = row.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count;
        let normed = row.iter().map(|number| (number - mean) / (spread + 1e-12).sqrt());
        normed.zip(scale.iter().zip(&shift)).map(|(number, (scale, shift))| number * scale + shift).collect()
    };
    x.into_iter().map(normed).collect()
}

fn sum(a: &Rows, b: &Rows) -> Rows {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
}

/// The error function, to seven digits (Abramowitz and Stegun, 7.1.26).
fn erf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let series = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let series = series.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    (1.0 - series * (-x * x).exp()).copysign(x)
}
