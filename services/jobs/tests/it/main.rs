//! The jobs service against real data services.
