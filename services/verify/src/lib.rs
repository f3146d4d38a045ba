#![doc = include_str!("../README.md")]

pub mod capacity;
pub mod order;
mod table;
