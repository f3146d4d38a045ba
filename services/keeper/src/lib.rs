//! Keeps a Valkey cluster whole while its pods come and go.
