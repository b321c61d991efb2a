//! The suites of the ports: each case is written once and run against every backend.
//!
//! The cases are private functions that only the list reaches, and `dead_code` is denied: one that nobody has
//! listed does not compile.

/// Makes a runner for each listed case, and the macro that turns them into tests of a backend.
macro_rules! contract {
    ($d:tt $suite:ident = $module:ident :: $harness:ident [$( $file:ident :: { $($case:ident),* $(,)? } )*]) => {
        /// One runner a case; called by the tests that the macro makes.
        #[doc(hidden)]
        pub mod run {
            use super::$harness;
            $($(
                pub async fn $case<H: $harness>() {
                    super::$file::$case(H::fresh().await).await;
                }
            )*)*
        }

        /// Makes a test of each case for a harness: `suite!(#[tokio::test] MyHarness);`.
        #[macro_export]
        macro_rules! $suite {
            (#[$d attribute:meta] $d on:ty) => {
                $($(
                    #[$d attribute]
                    async fn $case() {
                        $d crate::contract::$module::run::$case::<$d on>().await;
                    }
                )*)*
            };
        }
    };
}

pub mod embedder;
pub mod event_log;
pub mod memory_store;
pub mod registry_store;
