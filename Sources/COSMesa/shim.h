#include <GL/osmesa.h>
