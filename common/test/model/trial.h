// Runs operations in a child, so that a crash is a failure like any other, and makes a failing
// sequence smaller.

#ifndef MA_MODEL_TRIAL_H
#define MA_MODEL_TRIAL_H

#include "model.h"

struct trial {
    bool (*run)(const struct setup *setup, struct operation_list *list, struct outcome *outcome);
    struct setup setup;
    bool quiet; ///< nothing of what the child writes on standard error is shown
};

/// Runs operations in a child of its own.
/// @param outcome set
/// @return whether all was well
bool trial_run(const struct trial *trial, struct operation_list *list, struct outcome *outcome);

/// Makes a failing list smaller, as long as it fails: as in delta debugging (Zeller and Hildebrandt,
/// 2002), parts are left out, from halves down to single operations; then numbers become smaller.
/// @param outcome set to that of the smaller list
void trial_shrink(const struct trial *trial, struct operation_list *list, struct outcome *outcome);

#endif
