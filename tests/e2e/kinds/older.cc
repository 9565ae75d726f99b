// SPDX-License-Identifier: GPL-2.0-or-later
// Objects, texts and arrays of an older time: some are lost, the rest is kept.  Then it says so, and
// waits for a line.
#include <cstdio>
#include <cstring>
#include <vector>

struct Shape {
	virtual ~Shape() {}
	long id = 1;
};

struct Circle : Shape {
	long numbers[6] = {};
};

struct operations {
	int (*run)();
};

struct device {
	const struct operations *operations;
	long number;
	char rest[200];
};

static int run() { return 1; }

extern const struct operations disk_operations;
const struct operations disk_operations = { run };

namespace shop {
std::vector<Shape *> shapes;
device *disk;
}

static Shape *volatile lost;
static char *volatile text;

__attribute__((noinline)) static void fill()
{
	for (int i = 0; i < 300; i++) {
		shop::shapes.push_back(new Circle);
		lost = new Circle;
		text = static_cast<char *>(operator new(100));
		strcpy(const_cast<char *>(text), "this text is lost, is it not?");
	}
	lost = nullptr;
	text = nullptr;
	shop::disk = new device{ &disk_operations, 3, {} };
}

__attribute__((noinline)) static void scrub()
{
	volatile char stack[16384];

	memset(const_cast<char *>(stack), 0, sizeof(stack));
	__asm__ volatile("" : : : "rbx", "r12", "r13", "r14", "r15", "memory");
}

int main()
{
	fill();
	scrub();
	puts("ready");
	fflush(stdout);
	getchar();
	puts("correct");
}
