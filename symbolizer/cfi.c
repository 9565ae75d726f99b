/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdw interprets FDEs but does not tell their ranges: those are decoded here.  An FDE begins
 * with initial_location and address_range in the encoding that its CIE's augmentation names
 * (Linux Standard Base 5.0, 10.6); in .debug_frame both are plain addresses.
 */
#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../tracer/base/array.h"
#include "cfi.h"
#include "sections.h"

struct cfi_section {
	Elf_Data *data;
	uint64_t vaddr;
	bool eh_frame;
	const unsigned char *e_ident;
	Dwarf_Off cie_offset;		/* of the encoding below; all 1s: none yet */
	uint8_t encoding;
};

static size_t encoded_bytes(uint8_t encoding)
{
	switch (encoding & 0x07) {
	case DW_EH_PE_udata2: return 2;
	case DW_EH_PE_udata4: return 4;
	case DW_EH_PE_udata8: return 8;
	case DW_EH_PE_absptr: return 8;
	default: return 0;
	}
}

static uint64_t read_value(const uint8_t *at, uint8_t encoding)
{
	bool is_signed = encoding & 0x08;
	uint16_t two;
	uint32_t four;
	uint64_t eight;

	switch (encoded_bytes(encoding)) {
	case 2:
		memcpy(&two, at, sizeof(two));
		return is_signed ? (uint64_t)(int16_t)two : two;
	case 4:
		memcpy(&four, at, sizeof(four));
		return is_signed ? (uint64_t)(int32_t)four : four;
	default:
		memcpy(&eight, at, sizeof(eight));
		return eight;
	}
}

/* 'z' introduces the data; 'P' is an encoded pointer, 'L' and 'R' one byte each. */
static uint8_t augmented_encoding(const Dwarf_CIE *cie)
{
	const uint8_t *at = cie->augmentation_data;
	const uint8_t *end = at ? at + cie->augmentation_data_size : NULL;

	for (const char *letter = cie->augmentation; *letter && at < end; letter++) {
		if (*letter == 'R')
			return *at;
		if (*letter == 'L')
			at++;
		else if (*letter == 'P')
			at += 1 + encoded_bytes(*at);
		else if (!strchr("zSB", *letter))
			break;
	}
	return DW_EH_PE_absptr;
}

static int find_encoding(struct cfi_section *section, Dwarf_Off cie_offset)
{
	Dwarf_CFI_Entry entry;
	Dwarf_Off next;

	if (cie_offset == section->cie_offset)
		return 0;
	if (dwarf_next_cfi(section->e_ident, section->data, section->eh_frame, cie_offset, &next,
			   &entry) || entry.CIE_id != DW_CIE_ID_64)
		return -EINVAL;
	section->encoding = section->eh_frame ? augmented_encoding(&entry.cie) : DW_EH_PE_absptr;
	section->cie_offset = cie_offset;
	return 0;
}

static bool decode(struct cfi_section *section, const Dwarf_FDE *fde, struct cfi_function *out)
{
	uint64_t place = section->vaddr + (uint64_t)(fde->start - (uint8_t *)section->data->d_buf);
	size_t bytes;

	if (find_encoding(section, fde->CIE_pointer))
		return false;
	bytes = encoded_bytes(section->encoding);
	if (!bytes || (size_t)(fde->end - fde->start) < 2 * bytes)
		return false;
	out->start = read_value(fde->start, section->encoding);
	if ((section->encoding & 0x70) == DW_EH_PE_pcrel)
		out->start += place;
	else if (section->encoding & 0x70)
		return false;
	out->end = out->start + read_value(fde->start + bytes, section->encoding & 0x07);
	return out->start && out->end > out->start;
}

static int collect(struct cfi *cfi, Dwarf_CFI *owner, struct cfi_section *section)
{
	struct cfi_function function = { .cfi = owner };
	Dwarf_Off offset = 0, next;
	Dwarf_CFI_Entry entry;
	int ret;

	for (;; offset = next) {
		ret = dwarf_next_cfi(section->e_ident, section->data, section->eh_frame, offset,
				     &next, &entry);
		if (ret > 0 || next <= offset || next == (Dwarf_Off)-1)
			return 0;
		if (ret < 0 || entry.CIE_id == DW_CIE_ID_64)
			continue;
		if (!decode(section, &entry.fde, &function))
			continue;
		if (ARRAY_GROW(cfi))
			return -ENOMEM;
		cfi->items[cfi->nr++] = function;
	}
}

static int collect_section(struct cfi *cfi, Elf *elf, bool eh_frame)
{
	struct cfi_section section = { .eh_frame = eh_frame, .cie_offset = (Dwarf_Off)-1 };
	Dwarf_CFI **owner = eh_frame ? &cfi->eh_frame : &cfi->debug_frame;
	GElf_Shdr header;
	Elf_Scn *found = section_find(elf, SHT_PROGBITS, eh_frame ? ".eh_frame" : ".debug_frame",
				      &header);

	section.data = found ? elf_getdata(found, NULL) : NULL;
	if (!section.data || !section.data->d_buf)
		return 0;
	section.vaddr = header.sh_addr;
	section.e_ident = (const unsigned char *)elf_getident(elf, NULL);
	if (eh_frame) {
		*owner = dwarf_getcfi_elf(elf);
	} else {
		cfi->dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
		*owner = cfi->dwarf ? dwarf_getcfi(cfi->dwarf) : NULL;
	}
	return *owner ? collect(cfi, *owner, &section) : 0;
}

static int compare(const void *one, const void *other)
{
	const struct cfi_function *a = one, *b = other;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->end < b->end ? 1 : a->end > b->end ? -1 : 0;
}

/* Where two overlap, the one of .eh_frame stays, else the earlier one. */
static void make_disjoint(struct cfi *cfi)
{
	size_t nr = 0;

	for (size_t i = 0; i < cfi->nr; i++) {
		struct cfi_function *last = nr ? &cfi->items[nr - 1] : NULL;

		if (!last || cfi->items[i].start >= last->end)
			cfi->items[nr++] = cfi->items[i];
		else if (last->cfi != cfi->eh_frame && cfi->items[i].cfi == cfi->eh_frame)
			*last = cfi->items[i];
	}
	cfi->nr = nr;
}

int cfi_init(struct cfi *cfi, Elf *elf)
{
	int ret;

	*cfi = (struct cfi){ 0 };
	ret = collect_section(cfi, elf, true);
	if (!ret)
		ret = collect_section(cfi, elf, false);
	if (ret) {
		cfi_deinit(cfi);
		return ret;
	}
	if (cfi->nr)
		qsort(cfi->items, cfi->nr, sizeof(*cfi->items), compare);
	make_disjoint(cfi);
	return 0;
}

void cfi_deinit(struct cfi *cfi)
{
	if (cfi->eh_frame)
		dwarf_cfi_end(cfi->eh_frame);
	if (cfi->dwarf)
		dwarf_end(cfi->dwarf);
	free(cfi->items);
	*cfi = (struct cfi){ 0 };
}
