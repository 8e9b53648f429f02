// engine_alone: a program of the whole engine and nothing else. That it links is the test: the pure
// core needs no socket library, no thread pool and nothing of the runtime.
int main() {
  return 0;
}
