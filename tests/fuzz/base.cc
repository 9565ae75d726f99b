/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same in C++: names to be demangled, exceptions, templates. */
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace shop {
template <typename T, int N> struct Store {
	std::map<std::string, std::vector<T>> items;

	T take(const std::string &name)
	{
		auto &found = items[name];

		if (found.size() < N)
			throw std::runtime_error(name);
		T last = found.back();
		found.pop_back();
		return last;
	}
};
}

int main(int argc, char **argv)
{
	shop::Store<long, 2> store;

	try {
		store.items[argv[0]].assign(static_cast<size_t>(argc) + 1, 7);
		return static_cast<int>(store.take(argv[0]) + store.take("none"));
	} catch (const std::exception &error) {
		return error.what()[0] == 'n';
	}
}
