// SPDX-License-Identifier: GPL-2.0-or-later
// What the compiler proper compiles: a few templates, no headers.

template <typename T> struct list {
	struct node { T value; node *next; };
	node *first = nullptr;

	void push(T value) { first = new node{value, first}; }
	template <typename F> void each(F f) const
	{
		for (node *at = first; at; at = at->next)
			f(at->value);
	}
};

template <int N> struct fibonacci {
	static constexpr int value = fibonacci<N - 1>::value + fibonacci<N - 2>::value;
};
template <> struct fibonacci<1> { static constexpr int value = 1; };
template <> struct fibonacci<0> { static constexpr int value = 0; };

int total(int n)
{
	list<int> numbers;
	int sum = 0;

	for (int i = 0; i < n; i++)
		numbers.push(i * fibonacci<20>::value);
	numbers.each([&](int value) { sum += value; });
	return sum;
}
