//! BERT: from tokens to one vector for each text.
//!
//! Texts lie behind each other and not in a table, so that nothing is filled up and no text sees how long its neighbours are; what looks at a
//! text as a whole, attention and pooling, looks at each for itself, or at several of one length.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops::{layer_norm, softmax_last_dim};

use super::folder::{Pooling, Shape};
use super::weights::Weights;

pub(super) struct Bert {
    words: Tensor,
    /// What is added to the first, the second word and so on.
    places: Tensor,
    norm: Norm,
    layers: Vec<Layer>,
    heads: usize,
    pooling: Pooling,
}

struct Layer {
    /// What is asked, what answers, and what is answered with, in one.
    asks: Linear,
    attends: Linear,
    attended: Norm,
    widens: Linear,
    narrows: Linear,
    done: Norm,
}

struct Linear {
    /// Inputs by outputs.
    weight: Tensor,
    bias: Tensor,
}

struct Norm {
    scale: Tensor,
    shift: Tensor,
    epsilon: f32,
}

/// Texts of one length that lie behind each other.
struct Run {
    at: usize,
    texts: usize,
    length: usize,
}

impl Bert {
    /// Takes the model out of its weights.
    pub(super) fn open(
        weights: &Weights,
        shape: &Shape,
        pooling: Pooling,
    ) -> std::result::Result<Self, String> {
        let hidden = shape.hidden;
        let words = weights.tensor("embeddings.word_embeddings.weight", &[shape.words, hidden])?;
        let places = weights.tensor("embeddings.position_embeddings.weight", &[shape.places, hidden])?;
        let kinds = weights.tensor("embeddings.token_type_embeddings.weight", &[shape.kinds, hidden])?;
        // There is one sentence in a text, so all tokens are of the first kind.
        let places = kinds.narrow(0, 0, 1).and_then(|kind| places.broadcast_add(&kind)).map_err(failed)?;
        let layer = |number| Layer::open(weights, shape, &format!("encoder.layer.{number}"));
        Ok(Self {
            words,
            places,
            norm: Norm::open(weights, shape, "embeddings.LayerNorm")?,
            layers: (0..shape.layers).map(layer).collect::<std::result::Result<_, _>>()?,
            heads: shape.heads,
            pooling,
        })
    }

    /// Returns a vector for each text, of any length. No text is without tokens; those of one length stand together.
    pub(super) fn vectors(&self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        let runs = runs(texts);
        let mut x = self.embedded(texts)?;
        for layer in &self.layers {
            x = layer.through(&x, &runs, self.heads)?;
        }
        let mut vectors = Vec::with_capacity(texts.len());
        for run in &runs {
            let of_run = x.narrow(0, run.at, run.texts * run.length)?;
            let of_run = of_run.reshape((run.texts, run.length, ()))?;
            let pooled = match self.pooling {
                Pooling::Mean => of_run.mean(1)?,
                Pooling::First => of_run.narrow(1, 0, 1)?.squeeze(1)?,
            };
            vectors.extend(pooled.to_vec2::<f32>()?);
        }
        Ok(vectors)
    }

    fn embedded(&self, texts: &[&[u32]]) -> Result<Tensor> {
        let tokens = texts.concat();
        let places: Vec<u32> = texts.iter().flat_map(|text| (0..).take(text.len())).collect();
        let tokens = Tensor::new(tokens, &Device::Cpu)?;
        let places = Tensor::new(places, &Device::Cpu)?;
        let x = (self.words.index_select(&tokens, 0)? + self.places.index_select(&places, 0)?)?;
        self.norm.of(&x)
    }
}

fn runs(texts: &[&[u32]]) -> Vec<Run> {
    let mut at = 0;
    let run = |texts: &[&[u32]]| {
        let run = Run { at, texts: texts.len(), length: texts.first().map_or(0, |text| text.len()) };
        at += run.texts * run.length;
        run
    };
    texts.chunk_by(|one, next| one.len() == next.len()).map(run).collect()
}

impl Layer {
    fn open(weights: &Weights, shape: &Shape, at: &str) -> std::result::Result<Self, String> {
        let (hidden, wide) = (shape.hidden, shape.wide);
        let asks = ["query", "key", "value"].map(|part| {
            let linear = Linear::open(weights, &format!("{at}.attention.self.{part}"), hidden, hidden)?;
            // What is asked is divided by the root of its length, as attention wants it: here once for all.
            let scale = if part == "query" { shape.head_scale() } else { 1.0 };
            let scaled = |tensor: &Tensor| tensor.affine(scale, 0.0).map_err(failed);
            Ok::<_, String>(Linear { weight: scaled(&linear.weight)?, bias: scaled(&linear.bias)? })
        });
        let [query, key, value] = asks;
        let (query, key, value) = (query?, key?, value?);
        let joined = |parts: [&Tensor; 3]| {
            Tensor::cat(&parts, D::Minus1).and_then(|joined| joined.contiguous()).map_err(failed)
        };
        Ok(Self {
            asks: Linear {
                weight: joined([&query.weight, &key.weight, &value.weight])?,
                bias: joined([&query.bias, &key.bias, &value.bias])?,
            },
            attends: Linear::open(weights, &format!("{at}.attention.output.dense"), hidden, hidden)?,
            attended: Norm::open(weights, shape, &format!("{at}.attention.output.LayerNorm"))?,
            widens: Linear::open(weights, &format!("{at}.intermediate.dense"), hidden, wide)?,
            narrows: Linear::open(weights, &format!("{at}.output.dense"), wide, hidden)?,
            done: Norm::open(weights, shape, &format!("{at}.output.LayerNorm"))?,
        })
    }

    fn through(&self, x: &Tensor, runs: &[Run], heads: usize) -> Result<Tensor> {
        let asked = self.asks.of(x)?;
        let heard = runs.iter().map(|run| attention(&asked, run, heads)).collect::<Result<Vec<_>>>()?;
        let heard = self.attends.of(&Tensor::cat(&heard, 0)?)?;
        let x = self.attended.of(&(heard + x)?)?;
        let wide = self.widens.of(&x)?.gelu_erf()?;
        self.done.of(&(self.narrows.of(&wide)? + &x)?)
    }
}

/// Each word of a text listens to all words of the text, with each head for itself.
fn attention(asked: &Tensor, run: &Run, heads: usize) -> Result<Tensor> {
    let rows = run.texts * run.length;
    let parts = asked.narrow(0, run.at, rows)?.reshape((run.texts, run.length, 3, heads, ()))?;
    let parts = parts.permute((2, 0, 3, 1, 4))?.contiguous()?;
    let (query, key, value) = (parts.get(0)?, parts.get(1)?, parts.get(2)?);
    let listens = softmax_last_dim(&query.matmul(&key.t()?)?)?;
    listens.matmul(&value)?.transpose(1, 2)?.reshape((rows, ()))
}

impl Linear {
    fn open(weights: &Weights, at: &str, from: usize, to: usize) -> std::result::Result<Self, String> {
        let weight = weights.tensor(&format!("{at}.weight"), &[to, from])?;
        Ok(Self { weight: weight.t().map_err(failed)?, bias: weights.tensor(&format!("{at}.bias"), &[to])? })
    }

    fn of(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.weight)?.broadcast_add(&self.bias)
    }
}

impl Norm {
    fn open(weights: &Weights, shape: &Shape, at: &str) -> std::result::Result<Self, String> {
        Ok(Self {
            scale: weights.tensor(&format!("{at}.weight"), &[shape.hidden])?,
            shift: weights.tensor(&format!("{at}.bias"), &[shape.hidden])?,
            epsilon: shape.epsilon,
        })
    }

    fn of(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.scale, &self.shift, self.epsilon)
    }
}

fn failed(error: candle_core::Error) -> String {
    format!("the model cannot be made of model.safetensors: {}", super::weights::said(&error))
}
