/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdw finds the entries; what an FDE says of its function is decoded here, and its program is
 * run by cfa.c, since libdw runs it from its start for each row (cc1plus: 0.3 s for all).  An FDE
 * begins with initial_location and address_range in the encoding that its CIE's augmentation
 * names (Linux Standard Base 5.0, 10.6); in .debug_frame both are plain addresses.
 */
#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../tracer/base/array.h"
#include "cfa.h"
#include "leb.h"
#include "sections.h"

struct cfi_section {
	Elf_Data *data;
	uint64_t vaddr;
	bool eh_frame;
	const unsigned char *e_ident;
	size_t first_cie;		/* of this section */
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

static struct cfi_cie make_cie(const struct cfi_section *section, Dwarf_Off offset,
			       const Dwarf_CIE *from)
{
	struct cfi_cie cie = {
		.program = from->initial_instructions,
		.program_end = from->initial_instructions_end,
		.code_alignment = from->code_alignment_factor,
		.data_alignment = from->data_alignment_factor,
		.offset = offset,
		.encoding = section->eh_frame ? augmented_encoding(from) : DW_EH_PE_absptr,
		.is_augmented = *from->augmentation == 'z',
		.is_signal = strchr(from->augmentation, 'S'),
	};

	cie.initial = cfa_initial(&cie);
	if (from->return_address_register != RULE_RIP)
		cie.initial.rip.how = ROW_OTHERWISE;
	return cie;
}

/* Index of a CIE, mostly the last one; negative: error.  One that was not needed for long is
 * decoded anew, so that no file makes this slow. */
static int64_t find_cie(struct cfi *cfi, const struct cfi_section *section, Dwarf_Off offset)
{
	size_t nr = cfi->cies.nr, first = nr > section->first_cie + 16 ? nr - 16 : section->first_cie;
	Dwarf_CFI_Entry entry;
	Dwarf_Off next;

	for (size_t i = nr; i-- > first;)
		if (cfi->cies.items[i].offset == offset)
			return (int64_t)i;
	if (dwarf_next_cfi(section->e_ident, section->data, section->eh_frame, offset, &next,
			   &entry) || entry.CIE_id != DW_CIE_ID_64)
		return -EINVAL;
	if (ARRAY_GROW(&cfi->cies))
		return -ENOMEM;
	cfi->cies.items[cfi->cies.nr] = make_cie(section, offset, &entry.cie);
	return (int64_t)cfi->cies.nr++;
}

static bool decode_range(const struct cfi_section *section, const struct cfi_cie *cie,
			 const Dwarf_FDE *fde, struct cfi_function *out)
{
	uint64_t place = section->vaddr + (uint64_t)(fde->start - (uint8_t *)section->data->d_buf);
	size_t bytes = encoded_bytes(cie->encoding);

	if (!bytes || (size_t)(fde->end - fde->start) < 2 * bytes)
		return false;
	out->start = read_value(fde->start, cie->encoding);
	if ((cie->encoding & 0x70) == DW_EH_PE_pcrel)
		out->start += place;
	else if (cie->encoding & 0x70)
		return false;
	out->end = out->start + read_value(fde->start + bytes, cie->encoding & 0x07);
	return out->start && out->end > out->start;
}

static bool decode_program(const struct cfi_cie *cie, const Dwarf_FDE *fde,
			   struct cfi_function *out)
{
	struct leb_cursor rest = { fde->start + 2 * encoded_bytes(cie->encoding), fde->end };
	uint64_t bytes;

	if (cie->is_augmented) {
		if (!leb_unsigned(&rest, &bytes) || bytes > (uint64_t)(rest.end - rest.at))
			return false;
		rest.at += bytes;
	}
	out->program = rest.at;
	out->program_end = rest.end;
	return true;
}

/* What cannot be decoded is left out. */
static int add(struct cfi *cfi, const struct cfi_section *section, const Dwarf_FDE *fde)
{
	struct cfi_function function = { .is_eh_frame = section->eh_frame };
	int64_t index = find_cie(cfi, section, fde->CIE_pointer);
	const struct cfi_cie *cie;

	if (index < 0)
		return index == -ENOMEM ? -ENOMEM : 0;
	cie = &cfi->cies.items[index];
	function.cie = (uint32_t)index;
	if (!decode_range(section, cie, fde, &function) || !decode_program(cie, fde, &function))
		return 0;
	if (ARRAY_GROW(cfi))
		return -ENOMEM;
	cfi->items[cfi->nr++] = function;
	return 0;
}

static int collect(struct cfi *cfi, const struct cfi_section *section)
{
	Dwarf_Off offset = 0, next;
	Dwarf_CFI_Entry entry;
	int ret, err;

	for (;; offset = next) {
		ret = dwarf_next_cfi(section->e_ident, section->data, section->eh_frame, offset,
				     &next, &entry);
		if (ret > 0 || next <= offset || next == (Dwarf_Off)-1)
			return 0;
		if (ret < 0 || entry.CIE_id == DW_CIE_ID_64)
			continue;
		err = add(cfi, section, &entry.fde);
		if (err)
			return err;
	}
}

static Elf_Data *contents(Elf_Scn *section, const GElf_Shdr *header)
{
	if (header->sh_flags & SHF_COMPRESSED && elf_compress(section, 0, 0) < 0)
		return NULL;
	return elf_getdata(section, NULL);
}

static int collect_section(struct cfi *cfi, Elf *elf, bool eh_frame)
{
	struct cfi_section section = { .eh_frame = eh_frame, .first_cie = cfi->cies.nr };
	GElf_Shdr header;
	Elf_Scn *found = section_find(elf, SHT_PROGBITS, eh_frame ? ".eh_frame" : ".debug_frame",
				      &header);

	section.data = found ? contents(found, &header) : NULL;
	if (!section.data || !section.data->d_buf)
		return 0;
	section.vaddr = header.sh_addr;
	section.e_ident = (const unsigned char *)elf_getident(elf, NULL);
	return collect(cfi, &section);
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
		else if (!last->is_eh_frame && cfi->items[i].is_eh_frame)
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
	free(cfi->cies.items);
	free(cfi->items);
	*cfi = (struct cfi){ 0 };
}
