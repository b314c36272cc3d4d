//! The locks where threads meet, exchanged for loom's when that tries every interleaving.

#[cfg(not(feature = "loom"))]
pub(crate) use parking_lot::{Mutex, RwLock};
#[cfg(not(feature = "loom"))]
pub(crate) use std::sync::atomic::AtomicU64;

#[cfg(feature = "loom")]
pub(crate) use checked::*;

#[cfg(feature = "loom")]
mod checked {
    use std::sync::PoisonError;

    pub(crate) use loom::sync::atomic::AtomicU64;

    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Self::new(T::default())
        }
    }

    pub(crate) struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn read(&self) -> loom::sync::RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn write(&self) -> loom::sync::RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl<T: Default> Default for RwLock<T> {
        fn default() -> Self {
            Self(loom::sync::RwLock::new(T::default()))
        }
    }
}
