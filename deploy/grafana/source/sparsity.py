"""How sparse are the codes, which units are dead, and do live rows still look like those of training?"""
from .panels import MODEL, NAMED, buckets, dashboard, heat_map, lines, number, rate, row, steps

NO_ROWS = "no rows encoded yet"
NO_WINDOW = "no complete window of rows yet"
NO_SAMPLE = "no live rows sampled yet"

BY_VERSION = "max by (model, version)"
NAME = "{{model}}:{{version}}"

DEAD = (f"{BY_VERSION} (kwta_dead_units{{{NAMED}}}) / ({BY_VERSION} (kwta_model_units{{{NAMED}}}) > 0) "
        f"and ({BY_VERSION} (kwta_activity_windows_total{{{NAMED}}}) > 0)")
TRAINING_DEAD = f"{BY_VERSION} (kwta_training_dead_units{{{NAMED}}}) / ({BY_VERSION} (kwta_training_units{{{NAMED}}}) > 0)"
ACTIVE = f"avg by (model, version) (kwta_active_unit_fraction{{{NAMED}}} > 0)"
LIVE = f"{BY_VERSION} (kwta_live_fraction_variance_unexplained{{{NAMED}}} > 0)"
TRAINING = f"{BY_VERSION} (kwta_training_fraction_variance_unexplained{{{NAMED}}} > 0)"
DRIFT = f"{LIVE} / {TRAINING}"
DRIFTED = steps((None, "green"), (1.2, "yellow"), (1.5, "red"))
FREQUENCY = "kwta_unit_activation_frequency_bucket"


def now():
    return row("Now", [
        number("Active fraction", "L0 / units over the current window of rows: the part of the units that a code has.", "percentunit",
               [(ACTIVE, NAME)], NO_ROWS, width=6),
        number("L0", "Mean number of entries of a code that are not zero, over the current window of rows.", "none",
               [(f"avg by (model, version) (kwta_code_l0{{{NAMED}}} > 0)", NAME)], NO_ROWS, width=6, decimals=1),
        number("Dead units", "Part of the units that were in no code of the last complete window of rows.", "percentunit",
               [(DEAD, NAME)], NO_WINDOW, width=6, thresholds=steps((None, "green"), (0.2, "yellow"), (0.5, "red"))),
        number("Drift", "Variance unexplained of live rows beside that of training: 1 is as in training, the alert fires above 1.5.", "none",
               [(DRIFT, NAME)], NO_SAMPLE, width=6, decimals=2, thresholds=DRIFTED),
    ])


def activity():
    return row("Activity", [
        lines("Active fraction", "L0 / units. k-sparse codes keep it; a change without a swap is a change of alpha or of the rows.", "percentunit",
              [(ACTIVE, NAME)], NO_ROWS, width=12),
        lines("L0", "Mean number of entries of a code that are not zero.", "none",
              [(f"avg by (model, version) (kwta_code_l0{{{NAMED}}} > 0)", NAME)], NO_ROWS, width=12),
        lines("Dead units", "Part of the units in no code of the last complete window of live rows, and of the last epoch of training.",
              "percentunit", [(DEAD, NAME + " live"), (TRAINING_DEAD, NAME + " training")], NO_WINDOW, width=12),
        lines("Rows encoded", "Rows fill the windows: dead units are known after the first complete one.", "rowsps",
              [(f"sum by (model, version) ({rate('kwta_rows_encoded_total', NAMED)})", NAME)], NO_ROWS, width=6),
        lines("Complete windows", "Windows of rows that the version has completed since it is in memory, of all replicas.", "none",
              [(f"sum by (model, version) (kwta_activity_windows_total{{{NAMED}}})", NAME)], NO_WINDOW, width=6, steps_between=True),
    ])


def frequency():
    return row("Activation frequency of units", [
        buckets("Units by activation frequency",
                "Observations of units by the part of a window's rows in whose code they were, over the dashboard's range. A bar counts "
                "frequencies up to its label and above the one before; the bar 0 is the dead units.", "short",
                f"sum by (le) (increase({FREQUENCY}{{{MODEL}}}[$__range]))", NO_WINDOW),
        heat_map("Activation frequency, heat map", "The same over time: colour is the number of observations in a second.", "percentunit",
                 f"sum by (le) ({rate(FREQUENCY, MODEL)})", NO_WINDOW),
        lines("Units that do most of the work", "Part of the units that are in more than one code of ten.", "percentunit",
              [(f"1 - sum by (model, version) (increase({FREQUENCY}{{{NAMED}, le=\"0.1\"}}[$__range])) / "
                f"(sum by (model, version) (increase({FREQUENCY}{{{NAMED}, le=\"+Inf\"}}[$__range])) > 0)", NAME)], NO_WINDOW, width=12),
        lines("Median activation frequency", "Half of the units are in a smaller part of the codes than this.", "percentunit",
              [(f"histogram_quantile(0.5, sum by (le, model, version) (increase({FREQUENCY}{{{NAMED}}}[$__range])))", NAME)],
              NO_WINDOW, width=12),
    ])


def drift():
    return row("Drift against training", [
        lines("Drift", "Fraction of variance unexplained of live rows over that of the last training epoch.", "none",
              [(DRIFT, NAME)], NO_SAMPLE, width=12, thresholds=steps((None, "green"), (1.5, "red"))),
        lines("Fraction of variance unexplained", "Of the last sampled live rows, and of the last training epoch.", "percentunit",
              [(LIVE, NAME + " live"), (TRAINING, NAME + " training")], NO_SAMPLE, width=6),
        lines("Rows sampled", "Live rows a second that are reconstructed to measure drift.", "rowsps",
              [(f"sum by (model, version) ({rate('kwta_drift_rows_total', NAMED)})", NAME)], NO_SAMPLE, width=6),
    ])


def build():
    return dashboard("kwta-sparsity", "kwta / Sparsity", __doc__, [now(), activity(), frequency(), drift()])
