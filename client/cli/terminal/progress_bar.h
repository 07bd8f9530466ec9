// Formats training progress.
#pragma once

#include <string>

#include "kwta/v1/job.pb.h"

namespace kwta::client::cli {

// Returns "epoch 13/30  loss 12.34  unexplained 0.2130  18,250 images/s  k 25  dead 3/1000  ETA 12 s". Dead units
// appear once an epoch is done, the remaining time while there is some. For fine-tuning, returns
// "epoch 33/80  loss 0.01234  wrong 0.31%  18,250 images/s  ETA 12 s"; while the classifier trains alone, which reports
// no loss, returns "epoch 3/80  classifier alone  18,250 images/s".
std::string ProgressText(const v1::TrainingProgress& progress);

// Returns "[#######-----]  43%  " and ProgressText in at most `columns` characters. If they do not fit, the bar shrinks
// first. Then parts are dropped: k, speed, loss, and the bar; the epoch, the time left and the dead units go last.
std::string ProgressLine(const v1::TrainingProgress& progress, int columns);

}  // namespace kwta::client::cli
