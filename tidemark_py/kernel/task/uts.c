/* uts: see uts.h. */
#include "uts.h"

char uts_nodename[65] = "tidemark", uts_domainname[65] = "(none)";
