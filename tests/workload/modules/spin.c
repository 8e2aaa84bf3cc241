/* Computes for ever and calls nobody. */
int main(void) {
  for (volatile unsigned x = 0;; x++) {}
}
