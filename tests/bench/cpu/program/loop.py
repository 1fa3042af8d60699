"""The python line of the bench: reads numbers of units, and answers each with the sum of what so many units compute.
Pure Python of the usual kinds: loops over integers, lists, dictionaries, strings, method calls, floating point."""

import sys


class Body:
    def __init__(self, x, v):
        self.x = x
        self.v = v

    def step(self, others, dt):
        for other in others:
            if other is not self:
                d = other.x - self.x
                self.v += dt * d / (abs(d * d * d) + 0.1)

    def move(self, dt):
        self.x += self.v * dt


def sieve(n):
    composite = [False] * n
    count = 0
    for i in range(2, n):
        if not composite[i]:
            count += 1
            for j in range(i * i, n, i):
                composite[j] = True
    return count


def words(n):
    counts = {}
    for i in range(n):
        word = "w%d" % (i * i % 97)
        counts[word] = counts.get(word, 0) + 1
    return sum(count * len(word) for word, count in sorted(counts.items()))


def bodies(n):
    all_bodies = [Body(float(i), 0.0) for i in range(5)]
    for _ in range(n):
        for body in all_bodies:
            body.step(all_bodies, 0.01)
        for body in all_bodies:
            body.move(0.01)
    return int(sum(body.x * (i + 1) for i, body in enumerate(all_bodies)) * 1e6)


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def unit():
    return sieve(5000) + words(2000) + bodies(100) + fibonacci(16)


for line in sys.stdin:
    print(sum(unit() for _ in range(int(line))), flush=True)
