//! What products of one family differ in.

/// A size, a material, a maker: its text, its part of the SKU, and what it does to the price.
pub(super) struct Value {
    pub(super) label: &'static str,
    pub(super) code: &'static str,
    /// Thousandths by which the price is multiplied.
    pub(super) permille: i64,
}

pub(super) const fn v(label: &'static str, code: &'static str, permille: i64) -> Value {
    Value { label, code, permille }
}

/// Metric threads.
pub(super) const THREADS: &[Value] = &[
    v("M3", "M3", 250), v("M4", "M4", 300), v("M5", "M5", 380), v("M6", "M6", 500), v("M8", "M8", 1_000),
    v("M10", "M10", 1_700), v("M12", "M12", 2_600), v("M16", "M16", 5_200), v("M20", "M20", 9_000),
];
/// Lengths of bolts and screws in millimetres.
pub(super) const LENGTHS: &[Value] = &[
    v("6", "6", 490), v("8", "8", 520), v("10", "10", 550), v("12", "12", 580), v("16", "16", 640),
    v("20", "20", 700), v("25", "25", 775), v("30", "30", 850), v("35", "35", 925), v("40", "40", 1_000),
    v("50", "50", 1_150), v("60", "60", 1_300), v("70", "70", 1_450), v("80", "80", 1_600),
    v("100", "100", 1_900),
];
/// Strength classes and steels of fasteners.
pub(super) const BOLT_MATERIALS: &[Value] = &[
    v("steel 8.8 zinc plated", "ST88", 1_000), v("steel 10.9 plain", "ST109", 1_250),
    v("A2 stainless", "A2", 2_300), v("A4 stainless", "A4", 3_100),
];
/// Materials of nuts and washers.
pub(super) const PLAIN_MATERIALS: &[Value] = &[
    v("steel zinc plated", "ZN", 1_000), v("A2 stainless", "A2", 2_200), v("A4 stainless", "A4", 3_000),
    v("brass", "MS", 2_800), v("polyamide", "PA", 1_400),
];
/// Lengths of threaded rods.
pub(super) const ROD_LENGTHS: &[Value] = &[
    v("250 mm", "250", 300), v("500 mm", "500", 550), v("1 m", "1000", 1_000), v("2 m", "2000", 1_950),
    v("3 m", "3000", 2_950),
];
/// Lengths of anchors in millimetres.
pub(super) const ANCHOR_LENGTHS: &[Value] = &[
    v("50", "50", 1_150), v("65", "65", 1_375), v("75", "75", 1_525), v("90", "90", 1_750),
    v("110", "110", 2_050), v("135", "135", 2_425), v("160", "160", 2_800), v("200", "200", 3_400),
];
/// Bore codes of bearings: times five, millimetres.
pub(super) const BORES: &[Value] = &[
    v("00", "00", 600), v("01", "01", 620), v("02", "02", 650), v("03", "03", 700), v("04", "04", 850),
    v("05", "05", 1_000), v("06", "06", 1_300), v("07", "07", 1_700), v("08", "08", 2_100),
    v("09", "09", 2_500), v("10", "10", 2_900), v("11", "11", 3_600), v("12", "12", 4_200),
    v("14", "14", 6_000), v("16", "16", 8_200), v("20", "20", 14_500),
];
/// Series of deep groove ball bearings.
pub(super) const BEARING_SERIES: &[Value] = &[
    v("60", "60", 900), v("62", "62", 1_000), v("63", "63", 1_450), v("64", "64", 2_600),
];
/// Shields and clearance of bearings.
pub(super) const BEARING_SHIELDS: &[Value] = &[
    v("2RS1", "2RS", 1_000), v("2Z", "2Z", 960), v("2RS1 C3", "2RSC3", 1_080), v("2Z C3", "2ZC3", 1_040),
    v("open", "OP", 850),
];
/// Housings of bearing units.
pub(super) const UNIT_HOUSINGS: &[Value] = &[
    v("UCP pillow block", "UCP", 1_000), v("UCF square flange", "UCF", 1_100),
    v("UCFL oval flange", "UCFL", 1_000), v("UCT take-up", "UCT", 1_400),
];
/// Shafts of bearing units.
pub(super) const UNIT_SHAFTS: &[Value] = &[
    v("12 mm", "12", 760), v("15 mm", "15", 850), v("17 mm", "17", 910), v("20 mm", "20", 1_000),
    v("25 mm", "25", 1_150), v("30 mm", "30", 1_300), v("35 mm", "35", 1_450), v("40 mm", "40", 1_600),
    v("45 mm", "45", 1_750), v("50 mm", "50", 1_900), v("55 mm", "55", 2_050), v("60 mm", "60", 2_200),
];
/// Sections of V-belts.
pub(super) const BELT_SECTIONS: &[Value] = &[
    v("SPZ", "SPZ", 800), v("SPA", "SPA", 1_000), v("SPB", "SPB", 1_600), v("SPC", "SPC", 2_900),
    v("XPZ", "XPZ", 1_100), v("XPA", "XPA", 1_350),
];
/// Datum lengths of V-belts in millimetres.
pub(super) const BELT_LENGTHS: &[Value] = &[
    v("630", "630", 741), v("710", "710", 797), v("800", "800", 860), v("850", "850", 895),
    v("900", "900", 930), v("950", "950", 965), v("1000", "1000", 1_000), v("1060", "1060", 1_042),
    v("1120", "1120", 1_084), v("1180", "1180", 1_126), v("1250", "1250", 1_175), v("1320", "1320", 1_224),
    v("1400", "1400", 1_280), v("1500", "1500", 1_350), v("1600", "1600", 1_420), v("1700", "1700", 1_490),
    v("1800", "1800", 1_560), v("2000", "2000", 1_700), v("2240", "2240", 1_868), v("2500", "2500", 2_050),
    v("2800", "2800", 2_260), v("3150", "3150", 2_505),
];
/// Nominal sizes of pipes and valves.
pub(super) const PIPE_SIZES: &[Value] = &[
    v("DN 8 (1/4\")", "DN8", 450), v("DN 10 (3/8\")", "DN10", 520), v("DN 15 (1/2\")", "DN15", 650),
    v("DN 20 (3/4\")", "DN20", 850), v("DN 25 (1\")", "DN25", 1_200), v("DN 32 (1 1/4\")", "DN32", 1_700),
    v("DN 40 (1 1/2\")", "DN40", 2_200), v("DN 50 (2\")", "DN50", 3_100),
    v("DN 65 (2 1/2\")", "DN65", 5_200), v("DN 80 (3\")", "DN80", 7_400),
    v("DN 100 (4\")", "DN100", 11_800),
];
/// Steels of pipes.
pub(super) const PIPE_MATERIALS: &[Value] = &[
    v("black steel S195T", "S195", 1_000), v("galvanised steel", "GALV", 1_250),
    v("stainless 1.4301", "4301", 3_400), v("stainless 1.4404", "4404", 4_300),
];
/// Lengths of pipes.
pub(super) const PIPE_LENGTHS: &[Value] = &[
    v("1 m", "1", 400), v("2 m", "2", 720), v("3 m", "3", 1_000), v("6 m", "6", 1_900),
];
/// Wall thicknesses of pipes.
pub(super) const PIPE_WALLS: &[Value] = &[
    v("normal wall", "N", 1_000), v("heavy wall", "H", 1_300), v("light wall", "L", 860),
];
/// Threaded fittings.
pub(super) const FITTINGS: &[Value] = &[
    v("Elbow 90°", "EL90", 1_000), v("Elbow 45°", "EL45", 1_050), v("Tee", "TEE", 1_400),
    v("Socket", "SOC", 700), v("Reducing nipple", "RN", 800), v("Hexagon nipple", "HN", 650),
    v("Union, flat seal", "UN", 2_100), v("Cap", "CAP", 550), v("Plug", "PLG", 450),
    v("Cross", "CRS", 2_300),
];
/// Bodies of ball valves.
pub(super) const VALVE_BODIES: &[Value] = &[
    v("brass, nickel plated", "BR", 1_000), v("stainless 1.4408", "SS", 2_600), v("PVC-U", "PVC", 1_200),
    v("carbon steel", "CS", 1_900),
];
/// How ball valves are turned.
pub(super) const VALVE_HANDLES: &[Value] = &[
    v("lever", "LV", 1_000), v("butterfly handle", "BF", 980), v("ISO 5211 top", "ISO", 1_500),
    v("pneumatic actuator", "PN", 6_500),
];
/// Inner diameters of hoses.
pub(super) const HOSE_BORES: &[Value] = &[
    v("6 mm", "6", 660), v("8 mm", "8", 780), v("10 mm", "10", 900), v("13 mm", "13", 1_080),
    v("16 mm", "16", 1_260), v("19 mm", "19", 1_440), v("25 mm", "25", 1_800), v("32 mm", "32", 2_220),
    v("38 mm", "38", 2_580), v("50 mm", "50", 3_300),
];
/// What hoses are for.
pub(super) const HOSE_KINDS: &[Value] = &[
    v("Water hose EPDM", "WA", 800), v("Compressed air hose PVC", "AIR", 900),
    v("Hydraulic hose 2SN", "HY", 2_400), v("Fuel hose NBR", "FU", 1_500),
    v("Food hose silicone", "FO", 3_800),
];
/// Lengths of rolls.
pub(super) const ROLLS: &[Value] = &[
    v("per 10 m", "10", 1_000), v("per 25 m", "25", 2_400), v("per 50 m", "50", 4_600),
];
/// Inner diameters of O-rings in millimetres.
pub(super) const RING_INNER: &[Value] = &[
    v("3", "3", 660), v("4", "4", 680), v("5", "5", 700), v("6", "6", 720), v("8", "8", 760),
    v("10", "10", 800), v("12", "12", 840), v("14", "14", 880), v("16", "16", 920), v("18", "18", 960),
    v("20", "20", 1_000), v("22", "22", 1_040), v("25", "25", 1_100), v("28", "28", 1_160),
    v("30", "30", 1_200), v("35", "35", 1_300), v("40", "40", 1_400), v("45", "45", 1_500),
    v("50", "50", 1_600), v("60", "60", 1_800), v("70", "70", 2_000), v("80", "80", 2_200),
    v("100", "100", 2_600),
];
/// Cord diameters of O-rings in millimetres.
pub(super) const RING_CORDS: &[Value] = &[
    v("1.5", "15", 700), v("2", "2", 850), v("2.5", "25", 1_000), v("3", "3", 1_150), v("3.5", "35", 1_300),
    v("4", "4", 1_500),
];
/// Rubbers of seals.
pub(super) const RING_RUBBERS: &[Value] = &[
    v("NBR 70", "N70", 1_000), v("NBR 90", "N90", 1_300), v("FKM 75", "F75", 4_200),
    v("EPDM 70", "E70", 1_500), v("VMQ 70", "V70", 2_200),
];
/// Shaft diameters of seals in millimetres.
pub(super) const SHAFTS: &[Value] = &[
    v("8", "8", 700), v("10", "10", 750), v("12", "12", 800), v("15", "15", 875), v("17", "17", 925),
    v("20", "20", 1_000), v("22", "22", 1_050), v("25", "25", 1_125), v("28", "28", 1_200),
    v("30", "30", 1_250), v("35", "35", 1_375), v("40", "40", 1_500), v("45", "45", 1_625),
    v("50", "50", 1_750), v("55", "55", 1_875), v("60", "60", 2_000), v("65", "65", 2_125),
    v("70", "70", 2_250), v("80", "80", 2_500),
];
/// Types of shaft seals.
pub(super) const SEAL_TYPES: &[Value] = &[
    v("AS", "AS", 1_000), v("A", "A", 900), v("BS", "BS", 1_250), v("BASL", "BASL", 1_700),
];
/// Outer diameters of tubes.
pub(super) const TUBES: &[Value] = &[
    v("4 mm", "4", 800), v("6 mm", "6", 900), v("8 mm", "8", 1_000), v("10 mm", "10", 1_250),
    v("12 mm", "12", 1_500), v("16 mm", "16", 2_600),
];
/// Threads of ports.
pub(super) const PORTS: &[Value] = &[
    v("M5", "M5", 900), v("G1/8", "G18", 950), v("G1/4", "G14", 1_000), v("G3/8", "G38", 1_250),
    v("G1/2", "G12", 1_600),
];
/// Shapes of push-in fittings.
pub(super) const PUSH_IN: &[Value] = &[
    v("Straight push-in fitting", "ST", 900), v("Elbow push-in fitting", "EL", 1_000),
    v("Tee push-in fitting", "TE", 1_400), v("Banjo push-in fitting", "BJ", 1_600),
    v("Speed controller", "SC", 3_200), v("Bulkhead push-in fitting", "BH", 1_800),
];
/// Bores of cylinders in millimetres.
pub(super) const CYLINDER_BORES: &[Value] = &[
    v("12", "12", 692), v("16", "16", 756), v("20", "20", 820), v("25", "25", 900), v("32", "32", 1_012),
    v("40", "40", 1_140), v("50", "50", 1_300), v("63", "63", 1_508), v("80", "80", 1_780),
    v("100", "100", 2_100),
];
/// Strokes of cylinders in millimetres.
pub(super) const STROKES: &[Value] = &[
    v("10", "10", 870), v("25", "25", 900), v("40", "40", 930), v("50", "50", 950), v("80", "80", 1_010),
    v("100", "100", 1_050), v("125", "125", 1_100), v("160", "160", 1_170), v("200", "200", 1_250),
    v("250", "250", 1_350), v("320", "320", 1_490), v("400", "400", 1_650), v("500", "500", 1_850),
];
/// Kinds of cylinders.
pub(super) const CYLINDERS: &[Value] = &[
    v("Compact cylinder ISO 21287", "C", 900), v("Profile cylinder ISO 15552", "P", 1_200),
    v("Round cylinder ISO 6432", "R", 700),
];
/// Widths across flats in millimetres.
pub(super) const WIDTHS: &[Value] = &[
    v("6", "6", 600), v("7", "7", 625), v("8", "8", 650), v("9", "9", 675), v("10", "10", 700),
    v("11", "11", 725), v("12", "12", 750), v("13", "13", 775), v("14", "14", 800), v("15", "15", 825),
    v("16", "16", 850), v("17", "17", 875), v("18", "18", 900), v("19", "19", 925), v("21", "21", 975),
    v("22", "22", 1_000), v("24", "24", 1_050), v("27", "27", 1_125), v("30", "30", 1_200),
    v("32", "32", 1_250), v("36", "36", 1_350), v("41", "41", 1_475), v("46", "46", 1_600),
];
/// Kinds of spanners.
pub(super) const SPANNERS: &[Value] = &[
    v("Combination spanner", "CO", 1_000), v("Ratchet combination spanner", "RA", 2_700),
    v("Ring spanner, offset", "RI", 1_150), v("Open-ended spanner", "OP", 800),
    v("Slogging spanner", "SL", 2_100),
];
/// Tips of screwdrivers.
pub(super) const DRIVES: &[Value] = &[
    v("PH0", "PH0", 850), v("PH1", "PH1", 950), v("PH2", "PH2", 1_000), v("PZ1", "PZ1", 950),
    v("PZ2", "PZ2", 1_000), v("TX10", "TX10", 950), v("TX15", "TX15", 970), v("TX20", "TX20", 1_000),
    v("TX25", "TX25", 1_020), v("TX30", "TX30", 1_050), v("SL 3.5", "SL35", 850), v("SL 5.5", "SL55", 930),
    v("SL 8", "SL8", 1_200),
];
/// Blade lengths of screwdrivers.
pub(super) const BLADES: &[Value] = &[
    v("75 mm", "75", 900), v("100 mm", "100", 1_000), v("150 mm", "150", 1_150), v("200 mm", "200", 1_350),
];
/// Handles of screwdrivers.
pub(super) const HANDLES: &[Value] = &[
    v("two-component handle", "2K", 1_000), v("VDE 1000 V", "VDE", 1_450), v("wooden handle", "WD", 1_100),
    v("ESD handle", "ESD", 1_600),
];
/// Diameters of drills in millimetres.
pub(super) const DRILLS: &[Value] = &[
    v("1.0", "10", 520), v("1.5", "15", 580), v("2.0", "20", 640), v("2.5", "25", 700), v("3.0", "30", 760),
    v("3.2", "32", 784), v("3.3", "33", 796), v("3.5", "35", 820), v("4.0", "40", 880), v("4.2", "42", 904),
    v("4.5", "45", 940), v("5.0", "50", 1_000), v("5.5", "55", 1_060), v("6.0", "60", 1_120),
    v("6.5", "65", 1_180), v("6.8", "68", 1_216), v("7.0", "70", 1_240), v("7.5", "75", 1_300),
    v("8.0", "80", 1_360), v("8.5", "85", 1_420), v("9.0", "90", 1_480), v("9.5", "95", 1_540),
    v("10.0", "100", 1_600), v("10.2", "102", 1_624), v("10.5", "105", 1_660), v("11.0", "110", 1_720),
    v("11.5", "115", 1_780), v("12.0", "120", 1_840), v("12.5", "125", 1_900), v("13.0", "130", 1_960),
];
/// Kinds of drills.
pub(super) const DRILL_KINDS: &[Value] = &[
    v("HSS-G DIN 338", "HSSG", 1_000), v("HSS-Co DIN 338", "HSSCO", 2_100),
    v("HSS-TiN DIN 338", "TIN", 1_700), v("solid carbide DIN 6537", "VHM", 12_000),
    v("HSS long DIN 340", "LONG", 1_500), v("cobalt DIN 1897", "STUB", 1_800),
];
/// Kinds of taps.
pub(super) const TAP_KINDS: &[Value] = &[
    v("for blind holes", "BL", 1_050), v("for through holes", "TH", 1_000),
    v("set of 3 hand taps", "SET", 1_600), v("thread forming", "FORM", 1_900),
];
/// Materials of taps.
pub(super) const TAP_MATERIALS: &[Value] = &[
    v("HSS-E", "HSSE", 1_000), v("HSS-E TiN", "TIN", 1_450), v("HSS-E PM", "PM", 1_900),
    v("solid carbide", "VHM", 6_200),
];
/// Power tools.
pub(super) const MACHINES: &[Value] = &[
    v("Angle grinder", "AG", 900), v("Cordless drill driver", "DD", 1_200), v("Impact wrench", "IW", 1_900),
    v("Rotary hammer", "RH", 2_400), v("Jigsaw", "JS", 1_000), v("Circular saw", "CS", 1_300),
    v("Random orbital sander", "OS", 950), v("Heat gun", "HG", 600),
];
/// Power of machines.
pub(super) const VOLTAGES: &[Value] = &[
    v("12 V", "12", 800), v("18 V", "18", 1_000), v("36 V", "36", 1_700), v("230 V 900 W", "900", 700),
    v("230 V 1400 W", "1400", 1_050),
];
/// What machines come with.
pub(super) const EQUIPMENT: &[Value] = &[
    v("bare tool", "B", 700), v("with 2 × 4 Ah and case", "4A", 1_300),
    v("with 2 × 8 Ah and case", "8A", 1_700), v("in a case", "C", 850),
];
/// Diameters of discs.
pub(super) const DISC_SIZES: &[Value] = &[
    v("115 mm", "115", 800), v("125 mm", "125", 1_000), v("150 mm", "150", 1_300),
    v("180 mm", "180", 1_700), v("230 mm", "230", 2_300),
];
/// Widths of cutting discs.
pub(super) const DISC_WIDTHS: &[Value] = &[
    v("1.0 mm", "10", 1_000), v("1.6 mm", "16", 1_000), v("2.5 mm", "25", 1_100), v("3.0 mm", "30", 1_200),
];
/// What discs cut.
pub(super) const DISC_FOR: &[Value] = &[
    v("for steel", "ST", 1_000), v("for stainless steel", "INOX", 1_250), v("for aluminium", "AL", 1_400),
    v("for stone", "C", 950), v("universal", "UNI", 1_600),
];
/// Grits.
pub(super) const GRITS: &[Value] = &[
    v("P40", "40", 1_050), v("P60", "60", 1_000), v("P80", "80", 1_000), v("P120", "120", 1_000),
    v("P180", "180", 1_050), v("P240", "240", 1_100),
];
/// Grains of flap discs.
pub(super) const GRAINS: &[Value] = &[
    v("zirconia alumina", "ZA", 1_000), v("ceramic", "CE", 1_700), v("aluminium oxide", "AO", 750),
];
/// Kinds of gloves.
pub(super) const GLOVES: &[Value] = &[
    v("Assembly gloves, PU coated", "PU", 700), v("Cut protection gloves level D", "CUTD", 2_400),
    v("Nitrile chemical gloves", "NIT", 1_300), v("Winter work gloves", "WIN", 1_600),
    v("Leather driver gloves", "LEA", 1_500), v("Welding gloves", "WELD", 2_100),
];
/// Sizes of gloves.
pub(super) const GLOVE_SIZES: &[Value] = &[
    v("size 6", "6", 1_000), v("size 7", "7", 1_000), v("size 8", "8", 1_000), v("size 9", "9", 1_000),
    v("size 10", "10", 1_000), v("size 11", "11", 1_000), v("size 12", "12", 1_050),
];
/// Colours.
pub(super) const COLOURS: &[Value] = &[
    v("black", "BK", 1_000), v("grey", "GY", 1_000), v("blue", "BU", 1_000), v("yellow", "YE", 1_000),
    v("orange", "OG", 1_030),
];
/// Kinds of safety shoes.
pub(super) const SHOES: &[Value] = &[
    v("Safety shoe S1P low", "S1P", 800), v("Safety shoe S3 mid", "S3", 1_000),
    v("Safety boot S5", "S5", 600), v("Safety sandal S1", "S1", 750), v("ESD safety shoe S2", "S2", 1_050),
];
/// Sizes of shoes.
pub(super) const SHOE_SIZES: &[Value] = &[
    v("size 36", "36", 1_000), v("size 37", "37", 1_000), v("size 38", "38", 1_000),
    v("size 39", "39", 1_000), v("size 40", "40", 1_000), v("size 41", "41", 1_000),
    v("size 42", "42", 1_000), v("size 43", "43", 1_000), v("size 44", "44", 1_000),
    v("size 45", "45", 1_000), v("size 46", "46", 1_000), v("size 47", "47", 1_000),
    v("size 48", "48", 1_000),
];
/// Classes of respirators.
pub(super) const FILTERS: &[Value] = &[
    v("FFP1 NR D", "P1", 500), v("FFP2 NR D", "P2", 800), v("FFP2 with valve", "P2V", 1_000),
    v("FFP3 with valve", "P3V", 1_900), v("A2P3 half mask", "A2P3", 9_500),
    v("ABEK1P3 half mask", "ABEK", 11_000),
];
/// Pack sizes.
pub(super) const PACKS: &[Value] = &[
    v("pack of 1", "1", 1_000), v("pack of 5", "5", 4_700), v("pack of 10", "10", 9_000),
    v("pack of 20", "20", 17_000),
];
/// Kinds of cables.
pub(super) const CABLES: &[Value] = &[
    v("Control cable YSLY-JZ", "YSLY", 800), v("Rubber cable H07RN-F", "H07RN", 1_500),
    v("Installation cable NYM-J", "NYMJ", 700), v("Shielded cable LiYCY", "LIYCY", 1_300),
    v("Servo cable PUR", "SERVO", 3_600),
];
/// Cores of cables.
pub(super) const CORES: &[Value] = &[
    v("2×0.75", "2X075", 500), v("3×1", "3X1", 700), v("3×1.5", "3X15", 900), v("3×2.5", "3X25", 1_300),
    v("4×1.5", "4X15", 1_150), v("5×1.5", "5X15", 1_350), v("5×2.5", "5X25", 1_950), v("5×4", "5X4", 3_000),
    v("5×6", "5X6", 4_300), v("7×1.5", "7X15", 1_900), v("12×1", "12X1", 2_300),
];
/// Rated currents of circuit breakers.
pub(super) const AMPERES: &[Value] = &[
    v("2 A", "2", 962), v("4 A", "4", 974), v("6 A", "6", 986), v("10 A", "10", 1_010),
    v("13 A", "13", 1_028), v("16 A", "16", 1_046), v("20 A", "20", 1_070), v("25 A", "25", 1_100),
    v("32 A", "32", 1_142), v("40 A", "40", 1_190), v("50 A", "50", 1_250), v("63 A", "63", 1_328),
];
/// Poles of circuit breakers.
pub(super) const POLES: &[Value] = &[
    v("1-pole", "1P", 1_000), v("1-pole + N", "1PN", 1_500), v("2-pole", "2P", 2_300),
    v("3-pole", "3P", 3_100), v("4-pole", "4P", 4_200),
];
/// Trip curves of circuit breakers.
pub(super) const CURVES: &[Value] = &[
    v("B", "B", 1_000), v("C", "C", 1_080), v("D", "D", 1_500),
];
/// Powers of motors.
pub(super) const POWERS: &[Value] = &[
    v("0.12 kW", "012", 600), v("0.18 kW", "018", 650), v("0.25 kW", "025", 700), v("0.37 kW", "037", 780),
    v("0.55 kW", "055", 870), v("0.75 kW", "075", 1_000), v("1.1 kW", "11", 1_200),
    v("1.5 kW", "15", 1_450), v("2.2 kW", "22", 1_800), v("3 kW", "30", 2_200), v("4 kW", "40", 2_700),
    v("5.5 kW", "55", 3_700), v("7.5 kW", "75", 4_600), v("11 kW", "110", 6_900),
];
/// Speeds of motors.
pub(super) const POLE_PAIRS: &[Value] = &[
    v("2-pole", "2", 950), v("4-pole", "4", 1_000), v("6-pole", "6", 1_350), v("8-pole", "8", 1_900),
];
/// Mountings of motors.
pub(super) const MOUNTINGS: &[Value] = &[
    v("B3 foot", "B3", 1_000), v("B5 flange", "B5", 1_080), v("B14 flange", "B14", 1_060),
    v("B35 foot and flange", "B35", 1_180),
];
/// Sizes of cable ties in millimetres.
pub(super) const TIE_SIZES: &[Value] = &[
    v("2.5×100", "25X100", 300), v("2.5×200", "25X200", 600), v("3.6×140", "36X140", 700),
    v("3.6×200", "36X200", 900), v("3.6×300", "36X300", 1_300), v("4.8×200", "48X200", 1_300),
    v("4.8×300", "48X300", 1_900), v("4.8×430", "48X430", 2_900), v("7.6×370", "76X370", 4_100),
    v("7.6×540", "76X540", 6_200), v("9×780", "9X780", 9_800),
];
/// Materials of cable ties.
pub(super) const TIE_MATERIALS: &[Value] = &[
    v("PA 6.6 natural", "NA", 1_000), v("PA 6.6 black, UV stable", "UV", 1_150),
    v("stainless 1.4401", "SS", 9_000), v("PA 6.6 detectable", "DT", 3_300),
];
/// Kinds of lubricants.
pub(super) const LUBRICANTS: &[Value] = &[
    v("Multi-purpose grease EP2", "EP2", 1_000), v("High-temperature grease", "HT", 2_200),
    v("Chain oil", "CH", 900), v("Hydraulic oil HLP 46", "HLP46", 600),
    v("Gear oil CLP 220", "CLP220", 750), v("Cutting oil", "CUT", 1_100),
    v("Food grade grease H1", "H1", 2_600), v("Silicone spray", "SIL", 1_300),
    v("Copper paste", "CU", 3_100),
];
/// Containers.
pub(super) const VOLUMES: &[Value] = &[
    v("400 ml", "04", 500), v("400 g cartridge", "C4", 480), v("1 l", "1", 900), v("5 l", "5", 3_600),
    v("20 l", "20", 11_500), v("60 l drum", "60", 31_000), v("205 l drum", "205", 92_000),
];
/// Strengths of threadlockers.
pub(super) const LOCKERS: &[Value] = &[
    v("Threadlocker low strength", "L", 950), v("Threadlocker medium strength", "M", 1_000),
    v("Threadlocker high strength", "H", 1_050), v("Pipe sealant", "PS", 1_100),
    v("Retaining compound", "RC", 1_200), v("Gasket maker", "GM", 900), v("Instant adhesive", "IA", 700),
];
/// Bottles.
pub(super) const BOTTLES: &[Value] = &[
    v("10 ml", "10", 450), v("20 ml", "20", 700), v("50 ml", "50", 1_300), v("250 ml", "250", 5_200),
];
