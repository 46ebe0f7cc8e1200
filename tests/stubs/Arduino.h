/* Of Arduino's core, what sketches of the packages use. C++ only. */
#ifndef STUB_ARDUINO_H
#define STUB_ARDUINO_H

#include <stdint.h>
#include <string.h>

#define HIGH 0x1
#define LOW 0x0
#define INPUT 0x01
#define OUTPUT 0x03

unsigned long micros(void);
void delay(uint32_t milliseconds);
void setup(void);
void loop(void);

struct SerialPort {
    void begin(unsigned long baud);
    void print(const char *text);
    void print(unsigned long number);
    void println(const char *text);
    void println(double number, int digits);
};
extern SerialPort Serial;

#endif
