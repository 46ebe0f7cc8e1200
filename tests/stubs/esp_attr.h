/* Attributes as ESP-IDF defines them: each use has a section of its own. */
#ifndef STUB_ESP_ATTR_H
#define STUB_ESP_ATTR_H

#include "sdkconfig.h"

#define STUB_STRING(x) #x
#define STUB_SECTION(name, number) __attribute__((section(name "." STUB_STRING(number))))

#define DRAM_ATTR STUB_SECTION(".dram1", __COUNTER__)
#if CONFIG_SPIRAM_ALLOW_BSS_SEG_EXTERNAL_MEMORY
#define EXT_RAM_BSS_ATTR STUB_SECTION(".ext_ram.bss", __COUNTER__)
#else
#define EXT_RAM_BSS_ATTR
#endif

#endif
