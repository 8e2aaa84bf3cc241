# packages: make
# quick
mkdir /tmp/m; cd /tmp/m
printf 'OBJS := a.o b.o c.o\nall: prog\n\t@echo done $(words $(OBJS))\nprog: $(OBJS)\n\t@cat $^ > $@\n%%.o: %%.src\n\t@echo build $<; cp $< $@\n.PHONY: all clean\nclean:\n\trm -f *.o prog\n' > Makefile
for f in a b c; do echo "$f" > $f.src; done
make; make; touch -d '+1 hour' b.src; make; make -n clean; make -j3 -B | sort; cat prog
printf 'all:\n\t@echo $(shell echo sh) $(sort c a b) $(patsubst %%.c,%%.o,x.c) $(if $(X),yes,no)\n\t@false\n' > M2; make -f M2 X=1 2> /dev/null; echo "code $?"
mkdir sub; printf 'all:; @echo level $(MAKELEVEL)\n' > sub/Makefile; printf 'all:; @$(MAKE) --no-print-directory -C sub\n' > M3; make -f M3; make -f M3 -j4 -k
