//! Opens an image wherever it lies and reads its layers safely.

mod reader;

pub use reader::{Content, ContentSource, FileInfo, ReadSeek, Reader};
