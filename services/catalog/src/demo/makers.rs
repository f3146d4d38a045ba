//! Who makes what. All names are made up.

use super::axes::{Value, v};

/// Fastener makers.
pub(super) const FASTENER_MAKERS: &[Value] = &[
    v("Nordfix", "NRD", 1_000), v("Schraubwerk Hagen", "SWH", 1_150), v("Boltera", "BLT", 920),
    v("Kestrel Fasteners", "KST", 1_080), v("Tornillo Ibérico", "TIB", 880), v("Hexalon", "HXL", 970),
];

/// Drive makers.
pub(super) const DRIVE_MAKERS: &[Value] = &[
    v("Rotavia", "RTV", 1_000), v("Kugel & Lager", "KUL", 1_350), v("Tsubame Precision", "TSP", 1_250),
    v("Balkan Bearings", "BKB", 780), v("Orbis Motion", "ORB", 1_120),
];

/// Pipe makers.
pub(super) const PIPE_MAKERS: &[Value] = &[
    v("Aquaduct", "AQD", 1_000), v("Ventilon", "VTL", 1_180), v("Pipeworks Leeds", "PWL", 950),
    v("Rohrbau Nord", "RBN", 1_070), v("Acqua Viva", "AQV", 1_020),
];

/// Tool makers.
pub(super) const TOOL_MAKERS: &[Value] = &[
    v("Falkenburg", "FLK", 1_400), v("Torx & Sons", "TXS", 1_050), v("Werkmeister", "WKM", 1_250),
    v("Ironjaw", "IRJ", 900), v("Toolbase", "TBS", 700), v("Precisa", "PRC", 1_300),
];

/// Safety makers.
pub(super) const SAFETY_MAKERS: &[Value] = &[
    v("Guardwell", "GRD", 1_000), v("Sikker", "SIK", 1_150), v("Protecta Nova", "PRN", 900),
    v("Steelcap", "STC", 1_080),
];

/// Electric makers.
pub(super) const ELECTRIC_MAKERS: &[Value] = &[
    v("Voltaro", "VLT", 1_000), v("Elektra Süd", "ELS", 1_200), v("Amperia", "AMP", 950),
    v("Kupfer & Kabel", "KUK", 1_060), v("Brightline", "BRL", 870),
];

/// Chemical makers.
pub(super) const CHEMICAL_MAKERS: &[Value] = &[
    v("Lubrion", "LBR", 1_000), v("Chemofix", "CHF", 1_130), v("Oleum", "OLM", 920),
    v("Adhera", "ADH", 1_250),
];
