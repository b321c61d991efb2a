//! The vectors of questions that were asked lately: who asks the same again does not wait for the embedder.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use soorma_core::TenantId;

/// How many are kept of late, and as many of before.
const MOST: usize = 512;

/// A tenant's questions are its own: how soon one is answered tells nobody what others have asked.
type Kept = HashMap<(TenantId, String), Arc<[f32]>>;

#[derive(Debug, Default)]
pub(crate) struct Questions(Mutex<(Kept, Kept)>);

impl Questions {
    pub(crate) fn get(&self, tenant: &TenantId, question: &str) -> Option<Arc<[f32]>> {
        let key = (tenant.clone(), question.to_owned());
        let (late, before) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vector) = late.get(&key) {
            return Some(Arc::clone(vector));
        }
        let vector = before.remove(&key)?;
        keep(late, before, key, Arc::clone(&vector));
        Some(vector)
    }

    pub(crate) fn keep(&self, tenant: &TenantId, question: &str, vector: &[f32]) {
        let (late, before) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keep(late, before, (tenant.clone(), question.to_owned()), vector.into());
    }

    /// Forgets what a tenant asked.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        let (late, before) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for kept in [late, before] {
            kept.retain(|(of, _), _| of != tenant);
        }
    }
}

/// When there are many of late, they become those of before, and those are forgotten: what is asked again has moved on by then.
fn keep(late: &mut Kept, before: &mut Kept, key: (TenantId, String), vector: Arc<[f32]>) {
    if late.len() >= MOST {
        *before = std::mem::take(late);
    }
    late.insert(key, vector);
}

#[cfg(test)]
mod tests {
    use soorma_testkit::tenant;

    use super::*;

    #[test]
    fn what_is_asked_again_is_kept_and_the_rest_is_forgotten() {
        let (questions, a) = (Questions::default(), tenant("a"));
        questions.keep(&a, "again", &[1.0]);
        for n in 0..4 * MOST {
            questions.keep(&a, &format!("once {n}"), &[0.0]);
            assert!(n % 100 != 0 || questions.get(&a, "again").is_some(), "{n}");
        }
        assert!(questions.get(&a, "once 0").is_none());
        assert!(questions.get(&tenant("b"), "again").is_none(), "another tenant asks for itself");
        questions.forget(&a);
        assert!(questions.get(&a, "again").is_none());
    }
}
