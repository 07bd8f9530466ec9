"""What trains, how well does it learn, and what waits?"""
from .panels import INSTANCE, MODEL, dashboard, lines, number, quantile, row, steps, table

NO_JOB = "no job is running"
NOTHING = "nothing is scraped"

# Gauges of running jobs; a server without one has a series without a model.
RUNNING = f'{MODEL}, model!=""'
NAME = "{{model}} on {{instance}}"


def of_job(family):
    return f"max by (model, instance) ({family}{{{RUNNING}}})"


def jobs(state):
    return f'sum(kwta_jobs{{{INSTANCE}, state="{state}"}})'


def now():
    bad = steps((None, "green"), (1, "red"))
    return row("Now", [
        number("Running", "Jobs that train now.", "none", [(jobs("running"), "running")], NOTHING),
        number("Queued", "Jobs that wait for their turn.", "none", [(jobs("queued"), "queued")], NOTHING),
        number("Succeeded", "Jobs in the store that published a version.", "none", [(jobs("succeeded"), "succeeded")], NOTHING),
        number("Failed", "Jobs in the store that failed. `kwta logs JOB` says why.", "none", [(jobs("failed"), "failed")], NOTHING,
               thresholds=steps((None, "green"), (1, "yellow"))),
        number("Images", "Training rows a second, of all running jobs.", "rowsps",
               [(f"sum(kwta_job_images_per_second{{{MODEL}}})", "images")], NO_JOB),
        number("Waits for the store", "1 while jobs wait because something cannot be stored: a full disk, mostly.", "none",
               [(f"max(kwta_jobs_waiting_for_store{{{INSTANCE}}})", "waits")], NOTHING, thresholds=bad, graph=False),
    ])


def running():
    return row("Jobs", [
        table("Running jobs", "One row for each running job. `kwta jobs` and the status page list those that ended.",
              [("Epoch", of_job("kwta_job_epoch"), "none"), ("of", of_job("kwta_job_epochs"), "none"),
               ("Done", f"{of_job('kwta_job_epoch')} / {of_job('kwta_job_epochs')}", "percentunit"),
               ("Loss", of_job("kwta_job_loss"), "none"),
               ("Unexplained", of_job("kwta_job_fraction_variance_unexplained"), "percentunit"), ("k", of_job("kwta_job_k"), "none"),
               ("Images/s", of_job("kwta_job_images_per_second"), "rowsps"), ("Dead units", of_job("kwta_job_dead_units"), "none"),
               ("Checkpoint", of_job("kwta_job_checkpoint_age_seconds"), "s"), ("Report", of_job("kwta_job_report_age_seconds"), "s")],
              {"instance": "Instance", "model": "Model"}, NO_JOB, width=16, height=7,
              links=("Instance", "http://${__value.raw}/", "Status page")),
        lines("Jobs by state", "Jobs in the store. Rising lines of failed jobs are what KwtaJobsFail tells of.", "none",
              [(f"sum by (state) (kwta_jobs{{{INSTANCE}}})", "{{state}}")], NOTHING, height=7, steps_between=True),
    ])


def learning():
    return row("Learning", [
        lines("Loss", "Mean squared error of a row; in fine-tuning, mean cross-entropy.", "none",
              [(of_job("kwta_job_loss"), NAME)], NO_JOB, logarithmic=True),
        lines("Fraction of variance unexplained", "The same error beside the variance of the rows: 100% explains nothing.", "percentunit",
              [(of_job("kwta_job_fraction_variance_unexplained"), NAME)], NO_JOB),
        lines("Training error", "Part of the rows that fine-tuning classified wrongly in the epoch under way.", "percentunit",
              [(of_job("kwta_job_training_error"), NAME)], "no fine-tuning is running"),
        lines("k schedule", "Activities kept now. k falls from k-start to k over the first part of the epochs.", "none",
              [(of_job("kwta_job_k"), NAME)], NO_JOB, steps_between=True),
        lines("Learning rate", "Of the update under way.", "none", [(of_job("kwta_job_learning_rate"), NAME)], NO_JOB),
        lines("Gradient norm", "Length of the gradient of a batch, sampled. It explodes before training diverges.", "none",
              [(of_job("kwta_job_gradient_norm"), NAME)], NO_JOB, logarithmic=True),
    ])


def speed():
    return row("Speed and dead units", [
        lines("Images", "Training rows a second.", "rowsps", [(of_job("kwta_job_images_per_second"), NAME)], NO_JOB),
        lines("Epochs done", "Part of the job's epochs that is done.", "percentunit",
              [(f"{of_job('kwta_job_epoch')} / {of_job('kwta_job_epochs')}", NAME)], NO_JOB, high=1),
        lines("Dead units", "Part of the units in no training code of the last epoch. Many for long: a larger k-start helps.", "percentunit",
              [(f"{of_job('kwta_job_dead_units')} / ({of_job('kwta_job_units')} > 0)", NAME)], NO_JOB, high=1),
    ])


def health():
    return row("Health", [
        lines("Age of the checkpoint", "Work that goes if the trainer dies now.", "s",
              [(of_job("kwta_job_checkpoint_age_seconds"), NAME)], NO_JOB, thresholds=steps((None, "green"), (3600, "red")), width=6),
        lines("Age of the last report", "A trainer that is stuck says nothing.", "s",
              [(of_job("kwta_job_report_age_seconds"), NAME)], NO_JOB, thresholds=steps((None, "green"), (600, "red")), width=6),
        lines("Wait in the queue", "Quantiles of the time from submission to the start of the trainer.", "s",
              [(quantile(part, "kwta_job_queue_seconds", INSTANCE) + " >= 0", name) for part, name in ((0.5, "p50"), (0.99, "p99"))],
              "no job has started", width=6),
        lines("Store", "Changes of jobs that could not be stored at once, and free space of the state directory's disk.", "percentunit",
              [(f"sum by (instance) (increase(kwta_store_write_failures_total{{{INSTANCE}}}[$__rate_interval]))",
                "{{instance}} failed writes"),
               (f"kwta_state_disk_free_bytes{{{INSTANCE}}} / (kwta_state_disk_size_bytes{{{INSTANCE}}} > 0)", "{{instance}} free")],
              NOTHING, width=6, by_instance=True,
              overrides=[{"matcher": {"id": "byFrameRefID", "options": "A"}, "properties": [{"id": "unit", "value": "none"},
                                                                                           {"id": "custom.axisPlacement", "value": "right"}]}]),
    ])


def build():
    return dashboard("kwta-training", "kwta / Training", __doc__, [now(), running(), learning(), speed(), health()])
