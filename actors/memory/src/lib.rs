//! Memory: semantic, episodic, procedural and working; plans, sessions, and the contexts of tasks and plans.
#![deny(missing_docs)]
