/* Wants a function that nobody here has. */
__attribute__((import_module("elsewhere"), import_name("teleport"))) int teleport(int where);
int main(void) { return teleport(1); }
