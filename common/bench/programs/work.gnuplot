# What the bench records of gnuplot: data read, smoothed and drawn in several ways, as SVG. Set before:
# data and out, two files, and n, how much of it.
set terminal svg size 900,600
set output out
set multiplot layout 2,2
set samples 2000
set isosamples 10 + n / 6
plot data using 1:(strlen(strcol(2))) every 20::::n*60 with points, data using 1:(strlen(strcol(3))) every ::::n*60 smooth unique with lines
plot data using (strlen(strcol(3))):(1) every ::::n*60 smooth frequency with boxes
splot sin(x) * cos(y) with lines
set contour
splot x * x - y * y with lines
unset multiplot
