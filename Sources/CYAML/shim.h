// libyaml as Swift sees it. Nothing here owns memory. The owner is Configuration.

#ifndef CATRACA_CYAML_SHIM_H
#define CATRACA_CYAML_SHIM_H

#include <yaml.h>

#endif
