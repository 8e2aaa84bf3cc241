# packages: r-base-core
# seconds: 960
cp /usr/lib/R/etc/Renviron.ucf /etc/R/Renviron # as the maintainer script of r-base-core does
cat > /tmp/a.R <<'S'
x <- c(5, 3, 8, 1); print(sort(x)); print(summary(x)); cat(mean(x), sd(x), "\n"); m <- matrix(1:4, 2); print(m %*% m); print(solve(matrix(c(2, 0, 0, 4), 2)))
d <- data.frame(g = c("a", "b", "a"), v = 1:3); print(aggregate(v ~ g, d, sum)); f <- lm(dist ~ speed, cars); print(round(coef(f), 4)); set.seed(42); print(round(rnorm(3), 5)); cat(toupper("ü"), nchar("häß"), sprintf("%.3f", pi), "\n")
print(tryCatch(stop("caught"), error = function(e) conditionMessage(e))); cat(system("echo sub", intern = TRUE), system("exit 3"), "\n"); print(Reduce(`+`, 1:10, accumulate = TRUE)[10]); print(regmatches("a1b22", gregexpr("[0-9]+", "a1b22"))[[1]]); cat(svd(m)$d[1] > 5, fft(c(1, 0))[1] == 1, "\n"); quit(status = 5)
S
Rscript --vanilla /tmp/a.R; echo "code $?"; echo 'cat(6 * 7, "\n")' | R --vanilla --slave
