//! The numbers of a model, as `model.safetensors` has them.

use candle_core::safetensors::BufferedSafetensors;
use candle_core::{DType, Device, Tensor};

/// Named tensors. They are read into memory: a file that is mapped may change while it is used.
pub(super) struct Weights {
    file: BufferedSafetensors,
    /// What all names begin with.
    prefix: &'static str,
}

impl Weights {
    /// Takes the file's bytes.
    pub(super) fn open(bytes: Vec<u8>) -> Result<Self, String> {
        let file = BufferedSafetensors::new(bytes).map_err(|error| {
            format!("model.safetensors is damaged or not whole: {}; copy it again", said(&error))
        })?;
        // Models with a head over the encoder have the encoder under a name of its own.
        let prefix = if file.get("bert.embeddings.word_embeddings.weight").is_ok() { "bert." } else { "" };
        Ok(Self { file, prefix })
    }

    /// Returns a tensor of that shape, in `f32`.
    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, String> {
        let name = format!("{}{name}", self.prefix);
        let is = match self.file.get(&name) {
            Ok(tensor) => tensor.shape().to_vec(),
            Err(_) => {
                return Err(format!(
                    "model.safetensors has no '{name}': it is of another architecture than config.json says"
                ));
            }
        };
        if is != shape {
            return Err(format!(
                "model.safetensors has '{name}' as {is:?} and config.json says {shape:?}; copy both from the same model"
            ));
        }
        let unreadable = |error| format!("'{name}' in model.safetensors cannot be read: {}", said(&error));
        let tensor = self.file.load(&name, &Device::Cpu).map_err(unreadable)?;
        if !matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16 | DType::F64) {
            return Err(format!(
                "'{name}' in model.safetensors is made of {:?}; models of floating point numbers can be used alone",
                tensor.dtype()
            ));
        }
        let tensor = tensor.to_dtype(DType::F32).map_err(unreadable)?;
        let size = tensor.abs().and_then(|tensor| tensor.max_all()).and_then(|most| most.to_scalar::<f32>());
        // The largest of several with one among them that is no number may be either.
        let sum = tensor.sum_all().and_then(|sum| sum.to_scalar::<f32>());
        if !size.is_ok_and(f32::is_finite) || !sum.is_ok_and(|sum| !sum.is_nan()) {
            return Err(format!("'{name}' in model.safetensors has numbers that are none; copy it again"));
        }
        Ok(tensor)
    }
}

/// Returns the first line of what candle says: what follows it are the places in its code.
pub(super) fn said(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
