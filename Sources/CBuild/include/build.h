// What `make release` built: empty where somebody built without it.

#ifndef CATRACA_CBUILD_H
#define CATRACA_CBUILD_H

/// The commit, with `-dirty` behind it where files had been changed.
const char *_Nonnull catraca_build_commit(void);

/// The version of Swift.
const char *_Nonnull catraca_build_swift(void);

#endif
